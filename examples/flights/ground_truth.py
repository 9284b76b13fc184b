"""What came true of the flights, as files of ground truth: SageMaker's JSON lines, by the hour they came in.

A request has its labels when the last of its flights has landed. A flight that was diverted has none: an
empty line stands in its place, and a request of nothing else never gets a label. Neither does one, yet, whose
label comes after the end.

**Made up, on purpose**: landings are told four times a day, so labels come up to `EVERY` after them, and
those of requests from the airport `SLOW` another 1 to `MOST_DAYS` days later.
"""

import json
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from model import SEED, label

SLOW, CALLED = "LGA", "LaGuardia"
MOST_DAYS = 5
EVERY = pd.Timedelta(hours=6)


@dataclass(frozen=True, slots=True)
class Truth:
    """Requests by what became of their labels: `written`, of which `slow` came days late; `missing`, as no
    flight landed at its destination; and `to_come` after the end."""

    written: int
    slow: int
    missing: int
    to_come: int

    def summary(self) -> str:
        """The counts, and what is not real, in two lines to print."""
        return (
            f"{self.written:,} records get their labels once their flights have landed, {self.missing:,} "
            f"were diverted and get none, {self.to_come:,} wait for theirs at the end\n"
            f"Late on purpose: the {self.slow:,} labels from {CALLED} come 1 to {MOST_DAYS} days later"
        )


def write(folder: Path, requests: pd.DataFrame, flights: pd.DataFrame, until: pd.Timestamp) -> Truth:
    """Write the labels of `requests` that come up to `until`, and count all.

    A request has an id, `name`; its flights are those at `start` up to `end`, and each flight is in one.
    """
    requests = requests.sort_values("start", ignore_index=True)
    of_flight = np.repeat(requests.index, requests["end"] - requests["start"])
    came = flights["landed"].groupby(of_flight).max().dt.ceil(EVERY)
    days = np.random.default_rng(SEED + 1).integers(1, MOST_DAYS + 1, len(requests))
    slow = (flights["origin"] == SLOW).to_numpy()[requests["start"]]
    came += pd.to_timedelta(np.where(slow, days, 0), unit="D")
    there = came <= until
    sent = requests.assign(came=came)[there].sort_values("came", kind="stable")
    _files(folder, sent, label(flights).astype(object).where(flights["landed"].notna(), None).tolist())
    return Truth(len(sent), int((slow & there).sum()), int(came.isna().sum()), int((came > until).sum()))


def _files(folder: Path, sent: pd.DataFrame, labels: list[int | None]) -> None:
    for hour, of_hour in groupby(sent.itertuples(), key=lambda request: f"{request.came:%Y/%m/%d/%H}"):
        lines = [_line(request.name, labels[request.start : request.end]) for request in of_hour]
        path = folder / hour / "labels.jsonl"
        path.parent.mkdir(parents=True)
        path.write_text("".join(line + "\n" for line in lines), encoding="utf-8", newline="\n")


def _line(name: str, labels: list[int | None]) -> str:
    """One record of ground truth.

    >>> _line("UA1-EWR-20130401+1", [1, None])[:58]
    '{"groundTruthData":{"data":"1\\\\n\\\\"\\\\"","encoding":"CSV"},"eve'
    """
    record: dict[str, Any] = {
        # A cell that is empty is quoted, as CSV has it: an empty last line would be none.
        "groundTruthData": {
            "data": "\n".join('""' if label is None else str(label) for label in labels),
            "encoding": "CSV",
        },
        "eventMetadata": {"eventId": name},
        "eventVersion": "0",
    }
    return json.dumps(record, separators=(",", ":"))
