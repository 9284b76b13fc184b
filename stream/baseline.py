"""Making a baseline: the statistics of training data, and the constraints that they suggest."""

from pathlib import Path
from typing import Any

import pyarrow as pa

from monitors import describe
from monitors.data_quality import profile
from sinks.objects import Objects
from sinks.reports import pretty


def make_baseline(table: pa.Table, output: Path) -> dict[str, Any]:
    """Write statistics.json and constraints.json of a data set; gives the constraints."""
    described = profile(table)
    suggested = describe.suggest(described)
    objects = Objects.at(output)
    objects.put("statistics.json", pretty(described))
    objects.put("constraints.json", pretty(suggested))
    return suggested
