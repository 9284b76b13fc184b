"""The demo: a year of real flights through streamgauge, from training data to a page of what drifted, and how
good the model was.

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

from model import FEATURES, LABEL, OUTPUTS
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

# The same for the model's quality: suggested is what the quarter had, and days differ. What is left is what a
# person on call wants to hear of.
LESS_THAN = {"accuracy": 0.85, "recall": 0.55, "precision": 0.8, "auc": 0.85}
RETENTION = "7d"  # how long labels may take
QUALITY = ("--inference-attribute", OUTPUTS[0], "--probability-attribute", OUTPUTS[1])

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
        *("--config", str(settings(work)), "--baseline", str(work / "baseline"), "--output", str(out)),
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
    asked = ("--problem-type", "BinaryClassification", *QUALITY, "--ground-truth-attribute", LABEL)
    if run("baseline", str(traffic.reference), *asked, "--output", str(work / "baseline")):
        raise SystemExit("the baseline of the model's quality could not be made")
    loosen(work / "baseline" / "model_quality" / "constraints.json")
    chosen = (*("--config", str(METHOD), "--features", ",".join(FEATURES)), *("--rows", "400"))
    if run(
        "explain", str(traffic.baseline), *("--model", MODEL), *chosen, "--output", str(work / "baseline")
    ):
        raise SystemExit("the model could not be explained")
    (work / "complete").touch()


def settings(work: Path) -> Path:
    """Settings that ask the model why, of a few rows a day, and say where labels come."""
    written = work / "streamgauge.toml"
    tables: dict[str, dict[str, Any]] = {
        "explain": {"model": MODEL, "config": str(METHOD), "features": FEATURES, "rows": 50},
        "labels": {"places": [str(work / "ground-truth")], "retention": RETENTION, "merged": False},
        "quality": {"minimum_sample_size": 100, "standard_errors": 2},
    }
    lines = []
    for table, values in tables.items():
        lines += [f"[{table}]", *(f"{name} = {json.dumps(value)}" for name, value in values.items())]
    written.write_text("\n".join(lines) + "\n")
    return written


def edit(constraints: Path) -> None:
    """Set the overrides, as a person would in an editor."""
    document = json.loads(constraints.read_text())
    for feature in document["features"]:
        if override := OVERRIDES.get(feature["name"]):
            feature["monitoring_config_overrides"] = override
    constraints.write_text(json.dumps(document, indent=2) + "\n")
    console.print(f"edited {constraints}: thresholds of {', '.join(OVERRIDES)}", soft_wrap=True)


def loosen(constraints: Path) -> None:
    """Keep the thresholds that matter, at what a day may have."""
    document = json.loads(constraints.read_text())
    (rules,) = (rules for rules in document.values() if isinstance(rules, dict))
    for name in list(rules):
        if name in LESS_THAN:
            rules[name]["threshold"] = LESS_THAN[name]
        else:
            del rules[name]
    constraints.write_text(json.dumps(document, indent=2) + "\n")
    console.print(
        f"edited {constraints}: {', '.join(f'{n} {v}' for n, v in LESS_THAN.items())}", soft_wrap=True
    )


def run(*arguments: str) -> int:
    """Run the command as a user would, and show it."""
    console.print(f"\n[bold]$ streamgauge {shlex.join(arguments)}[/bold]", soft_wrap=True)
    return subprocess.run([str(Path(sys.executable).with_name("streamgauge")), *arguments]).returncode


if __name__ == "__main__":
    if len(sys.argv) != 2:
        raise SystemExit("usage: python examples/flights/demo.py OUT")
    raise SystemExit(main(Path(sys.argv[1])))
