"""Other libraries and streamgauge on the same data, on one core, each case in a process of its own.

python bench/peers.py --prepare    make the peers' environments, once
python bench/peers.py [ROWS]       measure, and print tables in Markdown

A peer that is slow is given a part of the rows; what a row costs hardly depends on their number there.
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
import pyarrow.parquet

import environments
import gauge
import made
import timing

ROWS = 200_000
HERE = Path(__file__).parent


class Case(NamedTuple):
    """What is measured, with which share of the rows, how often."""

    library: str
    action: str
    share: float = 1.0
    repeats: int = 3


CASES = [
    Case("streamgauge", "decode only"),
    Case("streamgauge", "from capture bytes"),
    Case("nannyml", "from capture bytes"),
    Case("whylogs", "from capture bytes", 0.5, 2),
    Case("evidently", "from capture bytes", 0.5, 1),
    Case("streamgauge", "frames ready"),
    Case("nannyml", "frames ready"),
    Case("whylogs", "frames ready", 0.5, 2),
    Case("whylogs", "row by row", 0.025, 1),
    Case("evidently", "frames ready", 0.5, 1),
]


class Measured(NamedTuple):
    """A case's figures, or the reason why there are none."""

    case: Case
    rows: int
    rate: float = 0.0
    growth: float = 0.0
    drifted: tuple[str, ...] = ()
    versions: tuple[str, ...] = ()
    reason: str = ""


def write(folder: Path, rows: int) -> None:
    """The same made-up data as columns and as captures; the first float column is shifted."""
    captures = made.captures(rows, shift=0.5)
    (folder / "captures.jsonl").write_bytes(b"\n".join(captures) + b"\n")
    _write_columns(folder / "current.parquet", made.table(rows, shift=0.5))
    _write_columns(folder / "baseline.parquet", made.baseline_table(gauge.BASELINE_ROWS))


def _write_columns(path: Path, text: pa.Table) -> None:
    kinds = {"i": pa.int64(), "t": pa.string()}
    schema = pa.schema([(name, kinds.get(name[0], pa.float64())) for name in text.column_names])
    pyarrow.parquet.write_table(text.cast(schema), path)


def measure(case: Case, folder: Path, rows: int) -> Measured:
    """Run one case in its library's environment."""
    mine = case.library == "streamgauge"
    python = Path(sys.executable) if mine else environments.python_of(case.library)
    failed = environments.reason_file(case.library)
    if not mine and failed.exists():
        return Measured(case, 0, reason=f"did not install: {failed.read_text()}")
    if not python.exists():
        return Measured(case, 0, reason="no environment: run with --prepare")
    rows = max(int(rows * case.share), 1)
    command = [python, HERE / "case.py", case.library, case.action, folder, str(rows), str(case.repeats)]
    one = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    ran = subprocess.run(command, capture_output=True, text=True, env=os.environ | one)
    if ran.returncode:
        return Measured(case, rows, reason=(ran.stderr.strip().splitlines() or ["stopped"])[-1])
    found = json.loads(ran.stdout.strip().splitlines()[-1])
    return Measured(
        case, rows, found["rate"], found["growth"], tuple(found["drifted"]), tuple(found["versions"])
    )


def table(measured: list[Measured]) -> str:
    """Markdown: each case beside streamgauge's of the same start."""
    own = {m.case.action: m.rate for m in measured if m.case.library == "streamgauge"}
    lines = [
        "| library | from | rows | rows/s | streamgauge is faster by | memory growth | found drifted |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for m in measured:
        start = f"| {m.case.library} | {m.case.action} |"
        if m.reason:
            lines.append(f"{start} | not measured: {m.reason} | | | |")
            continue
        against = own.get(m.case.action, own.get("from capture bytes", 0.0))
        ratio = "" if m.case.library == "streamgauge" else f"{against / m.rate:,.1f}"
        drifted = f"{len(m.drifted)} ({', '.join(m.drifted[:3])})" if m.drifted else ""
        cells = (f"{m.rows:,}", timing.three_digits(m.rate), ratio, f"{m.growth:,.0f} MiB", drifted)
        lines.append(f"{start} {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> None:
    if "--prepare" in sys.argv[1:]:
        environments.prepare()
        return
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else ROWS
    with tempfile.TemporaryDirectory() as name:
        write(Path(name), rows)
        measured = []
        for case in CASES:
            measured.append(measure(case, Path(name), rows))
            print(f"{case.library}, {case.action}: {measured[-1].rate:,.0f} rows/s", file=sys.stderr)
    print(f"{timing.machine([])}.\n\n{table(measured)}\n")
    for library, versions in {m.case.library: m.versions for m in measured if m.versions}.items():
        print(f"- {library} with {', '.join(versions)}")


if __name__ == "__main__":
    main()
