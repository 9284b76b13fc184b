"""Data quality, as Model Monitor has it: what the values of each feature are, and whether they fit."""

from collections.abc import Iterator, Mapping
from typing import ClassVar

import msgspec
import pyarrow as pa

from monitors import checks, describe, drift, samples
from monitors.baseline import Baseline, Reference
from monitors.feature import FeatureState
from monitors.quality_state import MAX_EXTRA, DataQualityState
from monitors.samples import NO_SAMPLES
from monitors.significance import adjusted, holds
from schemas.constraints import Defaults, Rule
from schemas.report import VIOLATIONS, Drift, Finding, Violation
from schemas.rows import Rows
from schemas.statistics import Statistics

_NOTHING = Reference()


class DataQuality:
    """Judges types, completeness, sign, domains, columns and drift of every feature by `baseline`.

    `defaults` hold where the constraints file leaves something to the program. `withhold` keeps values of
    single rows out of what is written. A check that rests on a sample fires only where its test is a
    discovery among all such tests of the window.

    Source: Amazon SageMaker Model Monitor, data quality; distances as in Deequ; Benjamini & Hochberg 1995.
    """

    name: ClassVar[str] = "data_quality"

    def __init__(
        self, baseline: Baseline, defaults: Defaults | None = None, *, withhold: bool = False
    ) -> None:
        self._baseline = baseline
        self._rules = baseline.constraints.rules
        self._defaults = defaults or Defaults()
        self._withhold = withhold
        rate = baseline.constraints.false_discovery_rate
        self._rate = self._defaults.false_discovery_rate if rate is None else rate

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
        found = {
            name: some
            for name, state in features.items()
            if (some := samples.of(rows, state, self._rules[name], self._reference(name)))
        }
        return DataQualityState(len(rows), features, misfits, frozenset(sorted(extra)[:MAX_EXTRA]), found)

    def load(self, parts: Mapping[str, bytes]) -> DataQualityState:
        """Restore a state from its dumped parts."""
        return DataQualityState.load(parts)

    def finish(self, state: DataQualityState) -> Finding:
        """Violations and distances of a window, with its statistics.json and constraint_violations.json."""
        ordered = {name: state.features[name] for name in self._rules if name in state.features}
        judged = {n: f for n, f in ordered.items() if self._rules[n].evaluate and state.rows}
        drifts = {name: moved for name, f in judged.items() if (moved := self._drift(name, f))}
        tests = {("drift", name): moved.p_value for name, moved in drifts.items() if _is_tested(moved)}
        tests |= {("completeness", name): self._missing(name, f, state.rows) for name, f in judged.items()}
        q_values = adjusted({test: p for test, p in tests.items() if p is not None})
        violations = list(self._columns(state))
        for name, feature in judged.items():
            if name in drifts:
                q_value = q_values.get(("drift", name))
                drifts[name] = msgspec.structs.replace(drifts[name], q_value=q_value)
            q_value = q_values.get(("completeness", name))
            violations += self._violations(name, feature, state, drifts.get(name), q_value)
        kinds = {name: rule.kind for name, rule in self._rules.items()}
        documents = {
            "statistics.json": describe.statistics(ordered, state.rows, kinds, self._withhold),
            VIOLATIONS: {"violations": violations},
        }
        return Finding(violations, list(drifts.values()), documents)

    def _drift(self, name: str, feature: FeatureState) -> Drift | None:
        rule = self._rules[name]
        if not rule.compare:
            return None
        least = describe.LEAST if self._withhold else 0
        return drift.measure(feature, rule, self._reference(name), self._minimum(rule), least)

    def _missing(self, name: str, feature: FeatureState, rows: int) -> float | None:
        """p-value of a feature's missing values, where it is tested and there are rows enough."""
        rule = self._rules[name]
        if not self._enough(rule, rows):
            return None
        return checks.completeness_p_value(feature, rule, rows, self._baseline.rows)

    def _violations(
        self,
        name: str,
        feature: FeatureState,
        state: DataQualityState,
        moved: Drift | None,
        q_value: float | None,
    ) -> Iterator[Violation]:
        """All violations of one feature; `q_value` is that of its missing values."""
        rule, some = self._rules[name], state.samples.get(name, NO_SAMPLES)
        yield from checks.values(feature, rule, some)
        shown = self._enough(rule, state.rows) and holds(q_value, self._rate)
        if incomplete := checks.completeness(feature, rule, state.rows, shown, some):
            yield incomplete
        if moved and (drifted := drift.violation(moved, self._rate, some.strange)):
            yield drifted

    def _minimum(self, rule: Rule) -> int:
        set_ = rule.minimum_sample
        return self._defaults.minimum_sample_size if set_ is None else set_

    def _enough(self, rule: Rule, rows: int) -> bool:
        known = self._baseline.rows
        return min(rows, rows if known is None else known) >= self._minimum(rule)

    def _reference(self, name: str) -> Reference:
        return self._baseline.references.get(name, _NOTHING)

    def _columns(self, state: DataQualityState) -> Iterator[Violation]:
        """Columns that are not there, and columns that the baseline does not have."""
        expected = len(self._rules)
        narrow = [width for width in state.misfits if width < expected]
        absent = [name for name in self._rules if name not in state.features] if state.rows else []
        rows = state.rows + sum(state.misfits.values())
        if narrow or absent:
            seen = min([*narrow, expected - len(absent)])
            yield _column_violation("Missing columns", "missing_column_check", seen, expected, rows)
        wide = [width for width in state.misfits if width > expected]
        if wide or state.extra:
            seen = max([*wide, expected - len(absent) + len(state.extra)])
            yield _column_violation("Extra columns", "extra_column_check", seen, expected, rows)


def _is_tested(moved: Drift) -> bool:
    return moved.enough and moved.distance is not None


def _column_violation(label: str, check: str, seen: int, expected: int, rows: int) -> Violation:
    return Violation(
        label,
        check,
        f"There are {label.lower()} in current dataset. Number of columns in current dataset: {seen}, "
        f"Number of columns in baseline constraints: {expected}",
        rows=rows,
        severity="high",
    )


def profile(table: pa.Table, withhold: bool = False) -> Statistics:
    """Statistics of a data set whose types are to be found out: the start of a baseline; `withhold` is that
    of `describe.statistics`."""
    features = {name: FeatureState.of(table[name]) for name in table.column_names}
    return describe.statistics(features, table.num_rows, withhold=withhold)
