"""Ten thousand damaged records: each accounted for once, alike in any company, and as the oracle reads it."""

import json
import math
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

import oracle
from fuzzing import SHOP, frames_of, plain, records
from making import WHEN_MS, decoded
from monitors.baseline import Baseline
from monitors.data_quality import DataQuality, DataQualityState, profile
from monitors.describe import suggest
from outcomes import Outcome, outcomes, plainly
from schemas import constraints, statistics
from schemas.decode import Decoded
from schemas.rows import NO_ROWS

COUNT = 10_000
HOUR = 3_600_000
DOCUMENTED = Path(__file__).parents[2] / "docs" / "data-quality.md"


@pytest.fixture(scope="module")
def lines() -> list[bytes]:
    return records(COUNT, seed=1)


@pytest.fixture(scope="module")
def frames(lines) -> list[tuple[list[int], Decoded]]:
    """Which records each frame holds, and what they were decoded to."""
    return [(which, decoded([lines[i] for i in which], SHOP)) for which in frames_of(lines, seed=1)]


@pytest.fixture(scope="module")
def together(frames) -> list[Outcome]:
    return [outcome for _, found in frames for outcome in outcomes(found, SHOP)]


def test_damage_of_every_kind_is_there_and_most_records_are_not_lost_to_it(lines, together):
    assert len(set(lines)) > 0.95 * COUNT
    fates = Counter(fate if fate == "rows" else code for fate, code, *_ in together)
    assert fates["rows"] > COUNT / 2
    assert all(fates[code] for code in documented_codes() - {"baseline", "preprocessor"}), fates


def documented_codes() -> set[str]:
    section = DOCUMENTED.read_text().partition("## Bad records")[2]
    return set(re.findall(r"^\| (\w+) \|", section, re.MULTILINE)) - {"code"}


def test_each_record_is_refused_with_a_documented_code_or_has_rows(together):
    assert len(together) == COUNT
    for fate, code, message, *_ in (outcome for outcome in together if outcome[0] == "bad"):
        assert (fate, code in documented_codes(), bool(message)) == ("bad", True, True)
    assert all(rows for fate, *_, rows in together if fate == "rows")


def test_each_record_decodes_alone_as_it_does_in_company(lines, together):
    for line, outcome in zip(lines, together, strict=True):
        (alone,) = outcomes(decoded([line], SHOP), SHOP)
        assert repr(alone) == repr(outcome), line[:1_000]


def test_what_begins_like_a_plain_record_decodes_among_plain_ones_as_among_others(lines, together):
    """The fast way is taken for the plain ones, and for what only looks like them it must not be."""
    company = [plain(number) for number in range(16)]
    expected = outcomes(decoded(company, SHOP), SHOP)
    alike = [i for i in range(COUNT) if lines[i].startswith(company[0][:80])]
    assert len(alike) > COUNT / 3
    for at in range(0, len(alike), 8):
        some = alike[at : at + 8]
        found = outcomes(decoded(company + [lines[i] for i in some], SHOP), SHOP)
        assert repr(found) == repr(expected + [together[i] for i in some])


def test_what_the_standard_library_can_read_plainly_has_the_same_values_bit_for_bit(lines, together):
    read = 0
    for line, outcome in zip(lines, together, strict=True):
        if (expected := oracle.read(line, SHOP, WHEN_MS + HOUR)) is not None:
            read += 1
            assert repr(outcome) == repr(plainly(*expected)), line[:1_000]
    assert read > 0.4 * COUNT


@pytest.fixture(scope="module")
def monitor() -> DataQuality:
    """One whose baseline are plain records."""
    (rows,) = decoded([plain(number) for number in range(500)], SHOP).tables
    described = profile(rows.columns)
    return DataQuality(Baseline.of(described, constraints.of(suggest(described))))


def state_of(monitor: DataQuality, found: list[Decoded]) -> DataQualityState:
    state = monitor.observe(NO_ROWS)
    for decoded_frame in found:
        for rows in decoded_frame.tables:
            state = state.merge(monitor.load(monitor.observe(rows).dump()))
    return state


def test_statistics_of_all_that_came_are_json_with_finite_numbers(frames, monitor):
    state = state_of(monitor, [found for _, found in frames])
    finding = monitor.finish(state)
    assert state.rows == sum(len(table) for _, found in frames for table in found.tables)
    for document in finding.documents.values():
        assert all(map(math.isfinite, numbers(msgspec.to_builtins(document))))
        json.loads(msgspec.json.encode(document), parse_constant=pytest.fail)
    described = finding.documents["statistics.json"]
    assert statistics.parse(msgspec.json.encode(described)) == described
    assert [feature.name for feature in described.features] == list(SHOP.columns)
    assert all(drift.distance is None or 0 <= drift.distance <= 1 for drift in finding.drift)


def test_statistics_of_each_frame_alone_are_json_with_finite_numbers(frames, monitor):
    for _, found in frames:
        described = monitor.finish(state_of(monitor, [found])).documents["statistics.json"]
        assert all(map(math.isfinite, numbers(msgspec.to_builtins(described))))
        assert statistics.parse(msgspec.json.encode(described)) == described


def numbers(document: Any) -> Iterator[float]:
    if isinstance(document, dict | list):
        for value in document.values() if isinstance(document, dict) else document:
            yield from numbers(value)
    elif isinstance(document, float):
        yield document


def test_statistics_do_not_depend_on_how_records_came_together(lines, frames, monitor):
    other = [decoded([lines[i] for i in which], SHOP) for which in frames_of(lines, seed=2, largest=2_000)]
    one, two = state_of(monitor, [found for _, found in frames]), state_of(monitor, other)
    assert (one.rows, one.extra, list(one.features)) == (two.rows, two.extra, list(two.features))
    for name in one.features:
        a, b = one.features[name], two.features[name]
        assert (a.types, a.categories, a.moments.n) == (b.types, b.categories, b.moments.n)
        assert (a.moments.low, a.moments.high) == (b.moments.low, b.moments.high)
