"""Made-up captures to measure with: 20 columns (12 float with 1 % missing, 4 integer, 4 text)."""

import json
import re
from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

FLOATS, INTEGERS, TEXTS = 12, 4, (10, 50, 200, 1_000)
NAMES = [
    "prediction",
    *(f"f{i}" for i in range(FLOATS)),
    *(f"i{i}" for i in range(INTEGERS)),
    *(f"t{i}" for i in range(len(TEXTS))),
]
START = datetime(2026, 1, 1, tzinfo=UTC)


def rows(n: int, seed: int = 0, shift: float = 0.0) -> dict[str, list[str]]:
    """`n` rows as text, column by column; `shift` moves the first float column."""
    rng = np.random.default_rng(seed)
    columns: dict[str, list[str]] = {"prediction": [f"{v:.6f}" for v in rng.random(n)]}
    for i in range(FLOATS):
        values = rng.normal(shift if i == 0 else 0.0, 1 + i, n)
        missing = rng.random(n) < 0.01
        columns[f"f{i}"] = ["" if gone else f"{v:.5f}" for v, gone in zip(values, missing, strict=True)]
    for i in range(INTEGERS):
        columns[f"i{i}"] = [str(v) for v in rng.integers(0, 10 ** (i + 1), n)]
    for i, size in enumerate(TEXTS):
        columns[f"t{i}"] = [f"cat{v:04d}" for v in rng.integers(0, size, n)]
    return columns


def captures(n: int, seed: int = 0, form: str = "CSV", hours: float = 1.0, shift: float = 0.0) -> list[bytes]:
    """`n` capture records with CSV or JSON payloads, spread evenly over `hours` from START."""
    columns = rows(n, seed, shift)
    made = []
    for index, (prediction, *values) in enumerate(zip(*columns.values(), strict=True)):
        if form == "CSV":
            given, output, kind = ",".join(values), prediction, "text/csv"
        else:
            given, output = _json(NAMES[1:], values), f'{{"prediction": {prediction}}}'
            kind = "application/json"
        when = START + timedelta(hours=hours) * (index / n)
        given_side, output_side = _side("INPUT", kind, given, form), _side("OUTPUT", kind, output, form)
        event_id = f"{seed:08x}-0000-4000-8000-{index:012x}"
        made.append(_record(given_side, output_side, event_id, when).encode())
    return made


def stream(n: int, seed: int, when: datetime) -> pa.BinaryArray:
    """`n` new records of CSV payloads like those of `captures`, all of one second; made some hundred
    thousand a second."""
    rng = np.random.default_rng(seed)
    columns = [_text(rng.normal(0.0, 1 + i, n).round(5), rng.random(n) < 0.01) for i in range(FLOATS)]
    columns += [_text(rng.integers(0, 10 ** (i + 1), n)) for i in range(INTEGERS)]
    columns += [
        pa.array([f"cat{v:04d}" for v in range(size)]).take(pa.array(rng.integers(0, size, n)))
        for size in TEXTS
    ]
    given = pc.binary_join_element_wise(*columns, ",")
    output = _text(rng.random(n).round(6))
    event_id = _text(np.arange(n))
    marks = ("<given>", "<output>", "<event>")
    record = _record(
        _side("INPUT", "text/csv", marks[0], "CSV"),
        _side("OUTPUT", "text/csv", marks[1], "CSV"),
        f"{seed:08x}-0000-4000-8000-{marks[2]}",
        when,
    )
    parts = re.split("|".join(marks), record)
    return pc.binary_join_element_wise(
        parts[0], given, parts[1], output, parts[2], event_id, parts[3], ""
    ).cast(pa.binary())


def _text(values: np.ndarray, missing: np.ndarray | None = None) -> pa.StringArray:
    text = pa.array(values).cast(pa.string())
    return text if missing is None else pc.if_else(pa.array(missing), "", text)


def _record(given: dict[str, str], output: dict[str, str], event_id: str, when: datetime) -> str:
    return json.dumps(
        {
            "captureData": {"endpointInput": given, "endpointOutput": output},
            "eventMetadata": {"eventId": event_id, "inferenceTime": when.strftime("%Y-%m-%dT%H:%M:%SZ")},
            "eventVersion": "0",
        },
        separators=(",", ":"),
    )


def _side(mode: str, kind: str, data: str, form: str) -> dict[str, str]:
    return {"observedContentType": kind, "mode": mode, "data": data, "encoding": form}


def _json(names: list[str], values: list[str]) -> str:
    parts = [
        f'"{name}": ' + (f'"{value}"' if name[0] == "t" else value or "null")
        for name, value in zip(names, values, strict=True)
    ]
    return "{" + ", ".join(parts) + "}"


def table(n: int, seed: int = 0, shift: float = 0.0) -> pa.Table:
    """The rows of `captures` with the same arguments, as columns of text."""
    columns = rows(n, seed, shift)
    arrays = {name: pa.array([v or None for v in values], pa.string()) for name, values in columns.items()}
    return pa.table(arrays)


def baseline_table(n: int) -> pa.Table:
    """Rows as text, as a baseline is read from CSV."""
    return table(n, seed=99)
