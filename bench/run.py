"""All measurements, one behind the other, and their tables put into README.md.

python bench/run.py
"""

import re
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
README = HERE / "README.md"


def main() -> None:
    for name in ("speed", "peers", "memory"):
        print(f"{name} ...", file=sys.stderr, flush=True)
        command = [sys.executable, HERE / f"{name}.py"]
        printed = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout
        README.write_text(replaced(README.read_text(), name, printed.strip()))


def replaced(document: str, name: str, text: str) -> str:
    """`document` with `text` between the marks of `name`."""
    begin, end = f"<!-- {name} -->", f"<!-- end of {name} -->"
    found = re.search(f"{begin}\n.*?{end}", document, re.DOTALL)
    if found is None:
        raise SystemExit(f"README.md has no {begin} and {end}")
    return document[: found.start()] + f"{begin}\n{text}\n{end}" + document[found.end() :]


if __name__ == "__main__":
    main()
