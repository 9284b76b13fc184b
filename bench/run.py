"""All measurements, one behind the other, and their tables put into README.md.

python bench/run.py [speed] [peers] [memory]
"""

import re
import subprocess
import sys
import textwrap
from pathlib import Path

HERE = Path(__file__).parent
README = HERE / "README.md"


def main() -> None:
    for name in sys.argv[1:] or ("speed", "peers", "memory"):
        print(f"{name} ...", file=sys.stderr, flush=True)
        command = [sys.executable, HERE / f"{name}.py"]
        printed = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout
        README.write_text(replaced(README.read_text(), name, wrapped(printed)))


def wrapped(printed: str) -> str:
    """Markdown with long lines broken, those of tables left whole."""
    lines = printed.strip().splitlines()
    return "\n".join(line if line.startswith("|") else textwrap.fill(line, 118) for line in lines)


def replaced(document: str, name: str, text: str) -> str:
    """`document` with `text` between the marks of `name`."""
    begin, end = f"<!-- {name} -->", f"<!-- end of {name} -->"
    found = re.search(f"{begin}\n.*?{end}", document, re.DOTALL)
    if found is None:
        raise SystemExit(f"README.md has no {begin} and {end}")
    return document[: found.start()] + f"{begin}\n{text}\n{end}" + document[found.end() :]


if __name__ == "__main__":
    main()
