"""Made-up captures to measure with: 20 columns (12 float with 1 % missing, 4 integer, 4 text)."""

import json
from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa

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
        made.append(
            json.dumps(
                {
                    "captureData": {
                        "endpointInput": _side("INPUT", kind, given, form),
                        "endpointOutput": _side("OUTPUT", kind, output, form),
                    },
                    "eventMetadata": {
                        "eventId": f"{seed:08x}-0000-4000-8000-{index:012x}",
                        "inferenceTime": when.strftime("%Y-%m-%dT%H:%M:%SZ"),
                    },
                    "eventVersion": "0",
                },
                separators=(",", ":"),
            ).encode()
        )
    return made


def _side(mode: str, kind: str, data: str, form: str) -> dict[str, str]:
    return {"observedContentType": kind, "mode": mode, "data": data, "encoding": form}


def _json(names: list[str], values: list[str]) -> str:
    parts = [
        f'"{name}": ' + (f'"{value}"' if name[0] == "t" else value or "null")
        for name, value in zip(names, values, strict=True)
    ]
    return "{" + ", ".join(parts) + "}"


def baseline_table(n: int) -> pa.Table:
    """Rows as text, as a baseline is read from CSV."""
    columns = rows(n, seed=99)
    arrays = {name: pa.array([v or None for v in values], pa.string()) for name, values in columns.items()}
    return pa.table(arrays)
