"""What became of predictions and labels, as Prometheus reads it."""

from collections.abc import Mapping
from typing import Any

LEVELS = ("waiting",)  # which go up and down


def prometheus(summary: Mapping[str, Any]) -> str:
    """Text for a scrape, of a join's summary: counters, and gauges of what waits.

    >>> print(prometheus({"labels": {"records": 7, "waiting": 2}}), end="")
    # TYPE streamgauge_labels_records_total counter
    streamgauge_labels_records_total 7
    # TYPE streamgauge_labels_waiting gauge
    streamgauge_labels_waiting 2
    """
    lines = []
    for side in ("predictions", "labels"):
        for name, value in summary.get(side, {}).items():
            family = f"streamgauge_{side}_{name}" + ("" if name in LEVELS else "_total")
            lines += [f"# TYPE {family} {'gauge' if name in LEVELS else 'counter'}", f"{family} {value}"]
    return "".join(line + "\n" for line in lines)
