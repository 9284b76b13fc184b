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

from model import FEATURES
from traffic import generate

WINDOW = "1d"
LATENESS = "1h"

# A day has one weekday and much the same weather all day, so its distribution never looks like a quarter's,
# and now and then a flight goes to an airport that the winter did not have. The suggested constraints are
# meant to be edited for such things; this is how.
_ONE_DAY_OF_WEATHER = {"distribution_constraints": {"comparison_threshold": 0.7}}
OVERRIDES: dict[str, dict[str, Any]] = {
    "weekday": {"distribution_constraints": {"perform_comparison": "Disabled"}},
    "dest": {"domain_content_threshold": 0.98},
    "probability": {"distribution_constraints": {"comparison_threshold": 0.2}},
    "dep_delay": {"distribution_constraints": {"comparison_threshold": 0.2}},
    **dict.fromkeys(("temp", "humid", "wind_speed", "pressure", "visib"), _ONE_DAY_OF_WEATHER),
}

HERE = Path(__file__).absolute().parent
MODEL = f"{HERE / 'served.py'}:model"
METHOD = HERE / "analysis_config.json"

console = Console(highlight=False)


def main(out: Path) -> int:
    """Make traffic and baseline unless they are there, then replay; gives the exit code."""
    began = time.monotonic()
    work = out.absolute().parent / ".flights"
    if not (work / "complete").exists():
        prepare(work)
    code = run(
        "replay",
        str(work / "captures"),
        *("--config", str(explained(work)), "--baseline", str(work / "baseline"), "--output", str(out)),
        *("--window", WINDOW, "--lateness", LATENESS, "--overwrite", "--exit-zero"),
    )
    console.print(f"\nDone in {time.monotonic() - began:.0f} s. Open {out / 'index.html'} in a browser.")
    return code


def prepare(work: Path) -> None:
    """Traffic and baseline in `work`; what an interrupted run left there is made again."""
    shutil.rmtree(work, ignore_errors=True)
    traffic = generate(work, progress=lambda sentence: console.print(f"… {sentence}"))
    console.print(traffic.summary(), soft_wrap=True)
    if run("baseline", str(traffic.baseline), "--output", str(work / "baseline")):
        raise SystemExit("the baseline could not be made")
    edit(work / "baseline" / "constraints.json")
    chosen = (*("--config", str(METHOD), "--features", ",".join(FEATURES)), *("--rows", "400"))
    if run(
        "explain", str(traffic.baseline), *("--model", MODEL), *chosen, "--output", str(work / "baseline")
    ):
        raise SystemExit("the model could not be explained")
    (work / "complete").touch()


def explained(work: Path) -> Path:
    """Settings that ask the model why, of a few rows a day."""
    settings = work / "streamgauge.toml"
    chosen = {"model": MODEL, "config": str(METHOD), "features": FEATURES, "rows": 50}
    lines = [f"{name} = {json.dumps(value)}" for name, value in chosen.items()]
    settings.write_text("\n".join(["[explain]", *lines]) + "\n")
    return settings


def edit(constraints: Path) -> None:
    """Set the overrides, as a person would in an editor."""
    document = json.loads(constraints.read_text())
    for feature in document["features"]:
        if override := OVERRIDES.get(feature["name"]):
            feature["monitoring_config_overrides"] = override
    constraints.write_text(json.dumps(document, indent=2) + "\n")
    console.print(f"edited {constraints}: thresholds of {', '.join(OVERRIDES)}", soft_wrap=True)


def run(*arguments: str) -> int:
    """Run the command as a user would, and show it."""
    console.print(f"\n[bold]$ streamgauge {shlex.join(arguments)}[/bold]", soft_wrap=True)
    return subprocess.run([str(Path(sys.executable).with_name("streamgauge")), *arguments]).returncode


if __name__ == "__main__":
    if len(sys.argv) != 2:
        raise SystemExit("usage: python examples/flights/demo.py OUT")
    raise SystemExit(main(Path(sys.argv[1])))
