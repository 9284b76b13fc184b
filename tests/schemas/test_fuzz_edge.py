"""Hard inputs that others collected, and real captures with damage: none is lost, none changes others."""

import base64
import csv
import gzip
import io
import json
import math
import re
import tarfile
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest

from fuzzing import SHOP, frames_of, mutate, plain
from making import WHEN_MS, capture, decoded, payload
from outcomes import Outcome, outcomes
from schemas.layout import Kind, Layout

DOCUMENTED = Path(__file__).parents[2] / "docs" / "data-quality.md"
LATER = WHEN_MS + 10**11  # after every real capture


def checked(lines: list[bytes], layout: Layout, arrived: int = WHEN_MS) -> list[Outcome]:
    """What became of each record, checked to be the same alone as in a frame of random size."""
    documented = set(re.findall(r"^\| (\w+) \|", DOCUMENTED.read_text(), re.MULTILINE))
    together: list[Outcome] = []
    for which in frames_of(lines, seed=len(lines)):
        together += outcomes(decoded([lines[i] for i in which], layout, arrived), layout)
    for line, outcome in zip(lines, together, strict=True):
        (alone,) = outcomes(decoded([line], layout, arrived), layout)
        assert repr(alone) == repr(outcome), line[:1_000]
        assert outcome[0] == "rows" or outcome[1] in documented
    return together


@pytest.fixture(scope="module")
def json_texts(shared) -> dict[str, bytes]:
    """The JSON test suite by name: y_ must be read, n_ must not, i_ is left open."""
    with tarfile.open(shared / "data" / "edge" / "jsontestsuite_test_parsing.tar.gz") as archive:
        files = {member.name.rpartition("/")[2]: archive.extractfile(member) for member in archive}
        return {name: file.read() for name, file in files.items() if file is not None}


def forms_of(text: bytes) -> Iterator[bytes]:
    """The text as a whole record, and as an input of each encoding."""
    yield text
    coded = base64.b64encode(text).decode()
    for kind in ("application/json", "application/jsonlines", "text/csv", "application/octet-stream"):
        yield capture(payload(coded, "BASE64", kind), "0.5")
    shown = text.decode("utf-8", "replace")
    yield capture(payload(shown, "JSON"), "0.5")
    yield capture(payload('{"instances": ' + shown + "}", "JSON"), "0.5")
    yield capture(payload(shown, "CSV"), "0.5")


def test_a_json_test_text_in_any_place_of_a_record_leaves_its_neighbours_alone(json_texts):
    lines = [form for text in json_texts.values() for form in (plain(1), *forms_of(text))]
    found = checked(lines, SHOP)
    assert all(fate == "rows" for fate, *_ in found[:: len(lines) // len(json_texts)])


def test_a_json_text_that_must_be_read_keeps_its_value_inside_a_row(json_texts):
    """Kept as text, and read again by the standard library."""
    texts = {name: text for name, text in json_texts.items() if name.startswith("y_")}
    rows = [b"[1, 2.5, " + text + b"]" for text in texts.values()]
    lines = [capture(payload(row.decode(), "JSON"), "0.5") for row in rows]
    for name, (fate, *_, held), text in zip(texts, checked(lines, SHOP), texts.values(), strict=True):
        assert fate == "rows", (name, held)
        expected, city = json.loads(text), dict(held[0]).get("city")
        assert (city if isinstance(expected, str) or expected is None else json.loads(city)) == expected, name


def test_a_json_text_that_must_not_be_read_is_refused_inside_a_row(json_texts):
    """Left out: texts that close the row themselves, or go on behind it."""
    for name, text in json_texts.items():
        row = b'{"age": 1, "income": 2.5, "city": ' + text + b"}"
        if name.startswith("n_") and not _reads(row):
            (outcome,) = checked(
                [capture(payload(base64.b64encode(row).decode(), "BASE64", "x/json"), "1")], SHOP
            )
            assert outcome[:2] == ("bad", "payload"), name


def _reads(text: bytes) -> bool:
    try:
        json.loads(text, parse_constant=lambda name: name + "?" if name else int("x"))
    except (ValueError, RecursionError):
        return False
    return not re.search(rb"NaN|Infinity", text)


def test_csv_spectrum_rows_one_a_record_hold_what_their_authors_say(shared):
    folder = shared / "data" / "edge" / "csv-spectrum"
    tried = 0
    for path in sorted((folder / "csvs").glob("*.csv")):
        documented = json.loads((folder / "json" / f"{path.stem}.json").read_text())
        if path.stem == "location_coordinates":  # its answer is no list, and has another number
            documented = [documented | {"Contact Phone Number": "2095257564"}]
        width = len(documented[0])
        layout = Layout({f"c{i}": "String" for i in range(width)})
        records = [[*row.values()] for row in documented]
        lines = [capture(written) for row in records for written in ways(row)]
        expected = [
            sorted((f"c{i}", value) for i, value in enumerate(row) if value)
            for row in records
            for _ in ways(row)
        ]
        assert [held for *_, held in checked(lines, layout)] == [[row] for row in expected], path.name
        tried += len(lines)
    assert tried > 50


def ways(row: list[str]) -> Iterator[str]:
    """A row as CSV with quotes only where they are needed, and everywhere, with each end of line."""
    for quoting in (csv.QUOTE_MINIMAL, csv.QUOTE_ALL):
        for end in ("", "\n", "\r\n"):
            out = io.StringIO()
            csv.writer(out, quoting=quoting, lineterminator="\n").writerow(row)
            yield out.getvalue().removesuffix("\n") + end


MOVIES: dict[str, Kind] = {
    "Title": "String",
    "US Gross": "Integral",
    "Worldwide Gross": "Fractional",
    "US DVD Sales": "Integral",
    "Production Budget": "Fractional",
    "Release Date": "String",
    "MPAA Rating": "String",
    "Running Time min": "Integral",
    "Distributor": "String",
    "Source": "String",
    "Major Genre": "String",
    "Creative Type": "String",
    "Director": "String",
    "Rotten Tomatoes Rating": "Integral",
    "IMDB Rating": "Fractional",
    "IMDB Votes": "Integral",
}


@pytest.mark.parametrize("rows_each", [1, 7])
def test_movies_as_json_payloads_keep_every_value(shared, rows_each):
    """Titles that are numbers, ids that are null, letters beyond ASCII."""
    with gzip.open(shared / "data" / "edge" / "movies.json.gz") as file:
        movies = json.load(file)
    groups = [movies[at : at + rows_each] for at in range(0, len(movies), rows_each)]
    lines = [
        capture(payload("\n".join(json.dumps(row, ensure_ascii=number % 2 == 0) for row in group), "JSON"))
        for number, group in enumerate(groups)
    ]
    layout = Layout(MOVIES)
    for group, (fate, *_, held) in zip(groups, checked(lines, layout), strict=True):
        assert (fate, held) == ("rows", [sorted(shown(row).items()) for row in group])


def shown(row: dict[str, Any]) -> dict[str, Any]:
    """A movie as its columns hold it."""
    kinds = {"String": str, "Integral": int, "Fractional": float}
    assert not any(isinstance(value, float) and not math.isfinite(value) for value in row.values())
    return {
        name: kinds[MOVIES[name]](value) if isinstance(value, int | float) else value
        for name, value in row.items()
        if value is not None
    }


def test_damaged_real_captures_end_up_once_and_alike_in_any_company(shared):
    random = Random(5)
    folders = [shared / "data" / "captures", shared / "spec" / "examples" / "model-monitor"]
    real = [
        line
        for folder in folders
        for path in sorted(folder.rglob("*.json*"))
        if not path.name.endswith(".gz")
        for line in path.read_bytes().splitlines()
        if b'"captureData"' in line
    ]
    layout = Layout({"score": "Fractional"} | {f"_c{i}": "Fractional" for i in range(8)})
    lines = [
        mutate(random, random.choice(real)) if random.random() < 0.7 else random.choice(real)
        for _ in range(2_000)
    ]
    found = checked(lines, layout, LATER)
    assert {fate for fate, *_ in found} == {"rows", "bad"}
