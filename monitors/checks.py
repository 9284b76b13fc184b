"""Checks of one feature's values against its rule, each with the words that Model Monitor uses."""

from collections.abc import Iterator

from msgspec import UNSET

from monitors import severity, significance
from monitors.feature import FeatureState
from monitors.samples import NO_SAMPLES, Ids, Samples
from schemas.constraints import Rule
from schemas.layout import NUMERIC
from schemas.report import Violation


def values(state: FeatureState, rule: Rule, samples: Samples = NO_SAMPLES) -> Iterator[Violation]:
    """Type, sign and domain of one feature's values: what one value alone can break."""
    present, fitting = state.types.present, state.types.fitting(rule.kind)
    share = state.types.share(rule.kind)
    if share < rule.type_share:
        text = (
            f"Data type match requirement is not met. Expected data type: {rule.kind}, "
            f"Expected match: {rule.type_share * 100}%. "
            f"Observed: Only {share * 100}% of data is {rule.kind}."
        )
        short = rule.type_share - share
        yield _violation(rule, "data_type_check", text, present, present - fitting, short, samples.wrong_type)
    if rule.kind in NUMERIC and rule.non_negative and state.negatives:
        n, text = state.moments.n, _text(state.moments.low)
        short = state.negatives / n
        yield _violation(rule, "non_negative_check", text, n, state.negatives, short, samples.negative)
    inside = _domain_share(state, rule)
    if inside is not None and inside < rule.domain_share:
        short, outside = rule.domain_share - inside, _outside(state, rule)
        yield _violation(
            rule, "categorical_values_check", _text(inside), present, outside, short, samples.outside
        )


def completeness_p_value(
    state: FeatureState, rule: Rule, rows: int, baseline_rows: int | None
) -> float | None:
    """How likely chance gives as many missing values; None where the constraint asks for no test: where
    nothing may be missing, or everything."""
    if rule.completeness is None or not 0.0 < rule.completeness < 1.0:
        return None
    missing = rows - state.types.present
    return significance.incompleteness(missing, rows, 1.0 - rule.completeness, baseline_rows)


def completeness(
    state: FeatureState,
    rule: Rule,
    rows: int,
    shown: bool = True,
    samples: Samples = NO_SAMPLES,
) -> Violation | None:
    """The violation of fewer values than the baseline had. Where the baseline lacked some itself, a test must
    have `shown` that it is not by chance."""
    present = state.types.present
    share = present / rows if rows else 1.0
    if rule.completeness is None or share >= rule.completeness:
        return None
    if rule.completeness < 1.0 and not shown:
        return None
    short = rule.completeness - share
    return _violation(rule, "completeness_check", _text(share), rows, rows - present, short, samples.missing)


def _violation(
    rule: Rule, check: str, text: str, rows: int, affected: int | None, short: float, event_ids: Ids
) -> Violation:
    """A violation that `affected` of `rows` values are to blame for, `short` of them too many (a share)."""
    return Violation(
        rule.name,
        check,
        text,
        rows=rows,
        affected=UNSET if affected is None else affected,
        severity=severity.of_share(short),
        sample_event_ids=list(event_ids) or UNSET,
    )


def _text(value: float) -> str:
    return f"Value: {value} does not meet the constraint requirement!"


def _domain_share(state: FeatureState, rule: Rule) -> float | None:
    """Share of values inside the domain, None where none is asked for or there is no value.

    Where there are too many different values to count each, it is the largest share that is possible: those
    that the domain has no room for (three standard errors allowed) are outside once at least.
    """
    present = state.types.present
    if rule.domains is None or rule.kind in NUMERIC or not present:
        return None
    outside = _outside(state, rule)
    if outside is None:
        return 1.0 - min(max(0.0, 0.95 * state.categories.distinct() - len(rule.domains)) / present, 1.0)
    return (present - outside) / present


def _outside(state: FeatureState, rule: Rule) -> int | None:
    """How many values are outside the domain; None where there are too many different ones to count each."""
    counts, domain = state.categories.counts, rule.domains or ()
    if counts is None:
        return None
    return sum(count for value, count in counts.items() if value not in domain)
