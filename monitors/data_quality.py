"""Data quality, as Model Monitor has it: what the values of each feature are, and whether they fit."""

from collections.abc import Iterator, Mapping
from typing import ClassVar

import msgspec
import pyarrow as pa
from msgspec import Struct

from monitors import checks, describe
from monitors.baseline import Baseline, Reference
from monitors.feature import FeatureState
from schemas.report import Drift, Finding, Violation
from schemas.rows import Rows
from schemas.statistics import Statistics

_ABOUT = "about"  # the part of a dumped state that belongs to no feature
_FEATURE = "feature:"  # before a feature's name, which may be any text, the empty one too
_MAX_EXTRA = 100  # names kept of columns that the baseline does not know


class DataQualityState(Struct, frozen=True):
    """States of all features over `rows` rows; `DataQualityState()` is the identity of merge.

    `misfits` counts records that held another number of columns (by that number), `extra` are names of
    columns that the baseline does not know.
    """

    rows: int = 0
    features: dict[str, FeatureState] = {}
    misfits: dict[int, int] = {}
    extra: frozenset[str] = frozenset()

    def merge(self, other: "DataQualityState") -> "DataQualityState":
        """Combine two disjoint samples; neither is changed."""
        features = dict(self.features)
        for name, state in other.features.items():
            features[name] = features[name].merge(state) if name in features else state
        misfits = {
            width: self.misfits.get(width, 0) + other.misfits.get(width, 0)
            for width in sorted({*self.misfits, *other.misfits})
        }
        extra = frozenset(sorted(self.extra | other.extra)[:_MAX_EXTRA])
        return DataQualityState(self.rows + other.rows, features, misfits, extra)

    def dump(self) -> Mapping[str, bytes]:
        """One part a feature, and one for the rest."""
        about = msgspec.msgpack.encode((self.rows, self.misfits, sorted(self.extra)))
        return {_ABOUT: about} | {_FEATURE + name: state.dump() for name, state in self.features.items()}

    @classmethod
    def load(cls, parts: Mapping[str, bytes]) -> "DataQualityState":
        """Restore what `dump` gave."""
        rows, misfits, extra = msgspec.msgpack.decode(
            parts[_ABOUT], type=tuple[int, dict[int, int], list[str]]
        )
        features = {
            part.removeprefix(_FEATURE): FeatureState.load(raw)
            for part, raw in parts.items()
            if part != _ABOUT
        }
        return cls(rows, features, misfits, frozenset(extra))


class DataQuality:
    """Judges types, completeness, sign, domains, columns and drift of every feature by `baseline`.

    Source: Amazon SageMaker Model Monitor, data quality; distances as in Deequ.
    """

    name: ClassVar[str] = "data_quality"

    def __init__(self, baseline: Baseline) -> None:
        self._baseline = baseline
        self._rules = baseline.constraints.rules

    def observe(self, rows: Rows) -> DataQualityState:
        """Summarise `rows`; of columns that the baseline does not know only the names are kept."""
        names = rows.columns.column_names
        features = {
            name: FeatureState.of(rows.columns[name], self._rules[name].kind)
            for name in names
            if name in self._rules
        }
        extra = {
            name
            for name in names
            if name not in self._rules
            and name not in rows.beside
            and rows.columns[name].null_count < len(rows)  # it may be there for the sake of other rows
        }
        misfits = dict(sorted(rows.misfits.items()))
        return DataQualityState(len(rows), features, misfits, frozenset(sorted(extra)[:_MAX_EXTRA]))

    def load(self, parts: Mapping[str, bytes]) -> DataQualityState:
        """Restore a state from its dumped parts."""
        return DataQualityState.load(parts)

    def finish(self, state: DataQualityState) -> Finding:
        """Violations and distances of a window, with its statistics.json and constraint_violations.json."""
        ordered = {name: state.features[name] for name in self._rules if name in state.features}
        kinds = {name: rule.kind for name, rule in self._rules.items()}
        violations = list(self._columns(state))
        drifts: list[Drift] = []
        for name, feature in ordered.items():
            rule = self._rules[name]
            if not rule.evaluate or not state.rows:
                continue
            violations += checks.values(feature, rule, state.rows)
            drift = checks.drift(feature, rule, self._baseline.references.get(name, Reference()))
            if drift is not None and rule.compare:
                drifts.append(drift)
                violations += [v for v in [checks.drift_violation(drift)] if v]
        documents = {
            "statistics.json": describe.statistics(ordered, state.rows, kinds),
            "constraint_violations.json": {"violations": violations},
        }
        return Finding(violations, drifts, documents)

    def _columns(self, state: DataQualityState) -> Iterator[Violation]:
        """Columns that are not there, and columns that the baseline does not have."""
        expected = len(self._rules)
        narrow = [width for width in state.misfits if width < expected]
        absent = [name for name in self._rules if name not in state.features] if state.rows else []
        if narrow or absent:
            seen = min([*narrow, expected - len(absent)])
            yield _column_violation("Missing columns", "missing_column_check", seen, expected)
        wide = [width for width in state.misfits if width > expected]
        if wide or state.extra:
            seen = max([*wide, expected - len(absent) + len(state.extra)])
            yield _column_violation("Extra columns", "extra_column_check", seen, expected)


def _column_violation(label: str, check: str, seen: int, expected: int) -> Violation:
    return Violation(
        label,
        check,
        f"There are {label.lower()} in current dataset. Number of columns in current dataset: {seen}, "
        f"Number of columns in baseline constraints: {expected}",
    )


def profile(table: pa.Table) -> Statistics:
    """Statistics of a data set whose types are to be found out: the start of a baseline."""
    features = {name: FeatureState.of(table[name]) for name in table.column_names}
    return describe.statistics(features, table.num_rows)
