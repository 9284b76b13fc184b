"""Bias drift: which metrics of a window are worse than the baseline's.

Clarify's rule: a violation where the absolute value is larger, however little, and however few the rows.

Ours: the allowed range is the same, from -|baseline| to |baseline| (of DI by the logarithm, so that 2 and 1/2
are as bad), and there is a violation only where the 95 % interval lies beyond it, each group that the metric
is divided by has `minimum_sample_size` rows, and the test stands among all those of the window (Benjamini-
Hochberg over facets, values and metrics). The baseline's own standard error counts too, where its file has
one.
"""

from collections.abc import Mapping
from math import erfc, inf, sqrt

import numpy as np
from msgspec import UNSET, Struct

from monitors import severity
from monitors.bias.describe import Described, Measured
from monitors.bias.planning import range_key
from monitors.bias.uncertainty import on_scale
from monitors.significance import adjusted
from schemas import analysis
from schemas.analysis import Analysis
from schemas.constraints import Defaults
from schemas.report import Violation

CHECK = "bias_drift_check"

_ROUNDING = 1e-12  # the same rows may give another last digit in another order of summation

Key = tuple[str, str, str]  # facet, key of its value, metric


class Test(Struct, frozen=True):
    """A metric against its allowed range: how likely chance puts it as far beyond it, None where that cannot
    be told."""

    __test__ = False  # no test of pytest's

    facet: str
    value: str
    measured: Measured
    baseline: float
    p_value: float | None


def limits(baseline: Analysis | None) -> dict[Key, analysis.Metric]:
    """What each metric must not be worse than: the baseline's metrics that have a value. A text that reads
    as an interval may be a threshold's or, in a column of bins, a value of its own."""
    found = baseline.metrics() if baseline else ()
    return {
        (facet, key, metric.name): metric
        for facet, value, metric in found
        if metric.number is not None
        for key in (value, range_key(value))
    }


def judge(
    described: Described, allowed: Mapping[Key, analysis.Metric], defaults: Defaults, compatible: bool = False
) -> list[Violation]:
    """Violations of a window, in the order of facets and names; with `compatible` by Clarify's rule."""
    tests: dict[Key, Test] = {}
    for (facet, key, text), metrics in described.measured.items():
        for name, measured in sorted(metrics.items()):
            limit = allowed.get((facet, key, name))
            if limit is not None and measured.value is not None:
                p_value = None if compatible else _p_value(measured, limit, defaults.minimum_sample_size)
                tests[facet, key, name] = Test(facet, text, measured, limit.number or 0.0, p_value)
    if compatible:
        return [_violation(test) for test in tests.values() if _is_worse(test)]
    q_values = adjusted({key: test.p_value for key, test in tests.items() if test.p_value is not None})
    rate = defaults.false_discovery_rate
    return [_violation(tests[key]) for key in tests if q_values.get(key, 1.0) <= min(rate, 0.05)]


def _is_worse(test: Test) -> bool:
    assert test.measured.value is not None
    return abs(test.measured.value) > abs(test.baseline) * (1 + _ROUNDING) + _ROUNDING


def _p_value(measured: Measured, limit: analysis.Metric, minimum: int) -> float | None:
    """Two-sided, so that it is below 5 % just where the 95 % interval lies beyond the allowed range."""
    if measured.sure is None or measured.base < minimum or measured.sure.error == 0.0:
        return None
    bound = abs(float(on_scale(measured.metric, np.asarray(limit.number))))
    if bound == inf:
        return None
    beyond = abs(measured.sure.centre) - bound - measured.sure.slack
    own = 0.0 if limit.standard_error is UNSET else limit.standard_error
    return erfc(max(0.0, beyond) / sqrt(measured.sure.error**2 + own**2) / sqrt(2))


def _violation(test: Test) -> Violation:
    found, name = test.measured, test.measured.metric.name
    assert found.value is not None
    value, baseline = _text(found.value), _text(test.baseline)
    return Violation(
        test.facet,
        CHECK,
        f"Metric value {value} doesn't meet the baseline constraint requirement {baseline}",
        rows=found.rows,
        affected=found.rows_disadvantaged,
        severity=severity.of_ratio(abs(found.value), abs(test.baseline)),
        facet=test.facet,
        facet_value=test.value,
        metric_name=name,
    )


def _text(value: float) -> str:
    found = analysis.of_number(value)
    return found if isinstance(found, str) else repr(found)
