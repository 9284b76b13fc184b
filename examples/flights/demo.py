"""The demo: a year of real flights through streamgauge, from training data to a page of what drifted.

    python examples/flights/demo.py OUT

The traffic is made once and kept in `.flights/` beside OUT; run again, only the replay is done anew.
"""

import json
import shlex
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from rich.console import Console

from traffic import generate

WINDOW = "1d"
LATENESS = "1h"

# A day has one weekday and much the same weather all day, so its distribution never looks like a quarter's.
# The suggested constraints are meant to be edited for such things; this is how.
OVERRIDES: dict[str, dict[str, Any]] = {
    "weekday": {"perform_comparison": "Disabled"},
    **{name: {"comparison_threshold": 0.7} for name in ("temp", "humid", "wind_speed", "pressure", "visib")},
}

console = Console(highlight=False)


def main(out: Path) -> int:
    """Make traffic and baseline unless they are there, then replay; gives the exit code."""
    began = time.monotonic()
    work = out.absolute().parent / ".flights"
    if not (work / "baseline" / "constraints.json").exists():
        prepare(work)
    code = run(
        "replay",
        str(work / "captures"),
        *("--baseline", str(work / "baseline"), "--output", str(out)),
        *("--window", WINDOW, "--lateness", LATENESS, "--overwrite", "--exit-zero"),
    )
    console.print(f"\nDone in {time.monotonic() - began:.0f} s. Open {out / 'index.html'} in a browser.")
    return code


def prepare(work: Path) -> None:
    """Traffic and baseline in `work`; what an interrupted run left there is made again."""
    for name in ("captures", "baseline.new"):
        if (work / name).exists():
            shutil.rmtree(work / name)
    traffic = generate(work, progress=lambda sentence: console.print(f"… {sentence}"))
    console.print(traffic.summary())
    if run("baseline", str(traffic.baseline), "--output", str(work / "baseline.new")):
        raise SystemExit("the baseline could not be made")
    edit(work / "baseline.new" / "constraints.json")
    (work / "baseline.new").rename(work / "baseline")


def edit(constraints: Path) -> None:
    """Set the overrides, as a person would in an editor."""
    document = json.loads(constraints.read_text())
    for feature in document["features"]:
        if drift := OVERRIDES.get(feature["name"]):
            feature["monitoring_config_overrides"] = {"distribution_constraints": drift}
    constraints.write_text(json.dumps(document, indent=2) + "\n")
    console.print(f"edited  {constraints.name}: thresholds of {', '.join(OVERRIDES)}")


def run(*arguments: str) -> int:
    """Run the command as a user would, and show it."""
    console.print(f"\n[bold]$ streamgauge {shlex.join(arguments)}[/bold]", soft_wrap=True)
    return subprocess.run([str(Path(sys.executable).with_name("streamgauge")), *arguments]).returncode


if __name__ == "__main__":
    if len(sys.argv) != 2:
        raise SystemExit("usage: python examples/flights/demo.py OUT")
    raise SystemExit(main(Path(sys.argv[1])))
