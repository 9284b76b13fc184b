"""The colours of the page: blue is within a threshold, orange to dark red is beyond it."""

from collections.abc import Sequence
from math import inf

NO_DATA = "#d5d5d5"
BASELINE, CURRENT = "#b3bdc8", "#1f5a92"
ROWS, BAD, LATE = "#7d9dbb", "#a33a2a", "#d9a441"
ESTIMATE = "#b8860b"
LABELS = {"matched": CURRENT, "waiting": "#e8b04a", "expired": "#9aa3ad"}
STEPS = {
    0.5: "#e9f0f6",
    0.75: "#cbdbe9",
    1: "#9dbbd6",
    1.5: "#fdc074",
    2: "#f58a42",
    3: "#d63c23",
    inf: "#8a0f1e",
}

_CHECKS = {
    "baseline_drift_check": "#e0542c",
    "data_type_check": "#5b4a9b",
    "completeness_check": "#2f7fb5",
    "missing_column_check": "#1d1d1f",
    "extra_column_check": "#8a8f98",
    "categorical_values_check": "#3c8d5a",
    "feature_attribution_drift_check": "#a3487f",
}
_SPARE = ("#b8860b", "#a3487f", "#5f9ea0", "#7a5c3e")


def of_checks(checks: Sequence[str]) -> dict[str, str]:
    """Give each check type present its fixed colour, an unknown one a spare colour.

    >>> of_checks(["completeness_check", "shape_check"])
    {'completeness_check': '#2f7fb5', 'shape_check': '#b8860b'}
    """
    known = {check: colour for check, colour in _CHECKS.items() if check in checks}
    unknown = sorted(set(checks) - set(known))
    return known | {check: _SPARE[i % len(_SPARE)] for i, check in enumerate(unknown)}
