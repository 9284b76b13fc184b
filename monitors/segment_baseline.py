"""Baselines of segments: a segment is held against its own past, by the rules of all rows."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice, product
from math import prod

import msgspec
import pyarrow as pa
import pyarrow.compute as pc
from msgspec import UNSET

from monitors import describe
from monitors.baseline import Baseline
from monitors.feature import FeatureState
from monitors.segments import Key
from schemas.constraints import Constraints
from schemas.layout import Kind
from schemas.statistics import FeatureStatistics, Statistics
from schemas.texts import as_text


def profiles(
    table: pa.Table, kinds: Mapping[str, Kind], columns: Sequence[str], most: int, withhold: bool = False
) -> Iterator[tuple[Key, Statistics]]:
    """Statistics of the segments of `columns` with the most rows, those first. A missing value makes none.

    `kinds` are the types of all rows: those of few rows may be others by chance. `withhold` is that of
    `describe.statistics`.
    """
    texts = pa.table({str(i): as_text(table[name], kinds[name]) for i, name in enumerate(columns)})
    counted = texts.drop_null().group_by(texts.column_names).aggregate([([], "count_all")]).to_pylist()
    ranked = sorted(counted, key=lambda row: (-row["count_all"], [row[i] for i in texts.column_names]))
    for row in ranked[:most]:
        key = tuple(row[i] for i in texts.column_names)
        part = table.filter(_all(pc.equal(texts[i], row[i]) for i in texts.column_names))
        states = {name: FeatureState.of(part[name], kinds[name]) for name in part.column_names}
        yield key, describe.statistics(states, part.num_rows, kinds, withhold)


def _all(masks: Iterator[pa.ChunkedArray]) -> pa.ChunkedArray:
    whole = next(masks)
    for mask in masks:
        whole = pc.and_(whole, mask)
    return whole


def of_segment(described: Statistics, rules: Constraints) -> Baseline:
    """The baseline of a segment: its own distributions, and the rules of all rows, less what a segment
    lacked already in its own baseline."""
    shares = {feature.name: _completeness(feature) for feature in described.features}
    own = {
        name: msgspec.structs.replace(rule, completeness=min(rule.completeness, shares.get(name, 1.0)))
        if rule.completeness is not None
        else rule
        for name, rule in rules.rules.items()
    }
    return Baseline.of(described, Constraints(rules.document, own))


def _completeness(feature: FeatureStatistics) -> float:
    numeric, text = feature.numerical_statistics, feature.string_statistics
    block = numeric if numeric is not UNSET else text
    if block is UNSET:
        return 0.0
    common = block.common
    return common.num_present / max(common.num_present + common.num_missing, 1)


def frequent(baseline: Baseline, columns: Sequence[str], most: int) -> list[Key] | None:
    """The values that the baseline has counted, the most frequent first; None where it has not counted them.

    Of several columns it knows no combinations: those are ranked as if their values were independent.
    """
    counts = [baseline.references[name].counts if name in baseline.references else None for name in columns]
    known = [count for count in counts if count]
    if len(known) < len(columns):
        return None
    best = [sorted(count.items(), key=lambda item: (-item[1], item[0]))[:most] for count in known]
    ranked = sorted(
        product(*best),
        key=lambda pairs: (-prod(n for _, n in pairs), [value for value, _ in pairs]),
    )
    return [tuple(value for value, _ in pairs) for pairs in islice(ranked, most)]
