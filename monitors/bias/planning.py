"""From a configuration, and what is known of the columns, to a plan."""

import re
from collections.abc import Mapping, Sequence

from monitors.bias.facts import UNKNOWN, Facts
from monitors.bias.plan import AND, Choice, Column, Facet, Plan, canonical, key
from monitors.model_quality.labels import normalised
from schemas.analysis import Analysis, Stage
from schemas.analysis_config import AnalysisConfig, FacetConfig, Value
from schemas.errors import ConfigError
from schemas.layout import NUMERIC, Kind

MOST_VALUES = 100  # of a facet, each against all others

_INTERVAL = re.compile(r"^\((.+), (.+)\]$")


def build(config: AnalysisConfig, facts: Mapping[str, Facts], baseline: Analysis | None = None) -> Plan:
    """The plan of a configuration. Where the baseline's analysis tells what a facet's values are, and
    whether it is a quantity, that stands above the facts. Raises ConfigError, which names every mistake.
    """
    facets = _facets(config, facts, baseline)
    problems: list[str] = []
    label, predicted = _outcomes(config, facts, baseline, problems)
    if problems:
        raise ConfigError("; ".join(problems))
    features, why = _features(config, facts)
    return Plan(
        facets,
        label,
        predicted,
        _group(config, facts),
        features,
        why,
        config.pre_training,
        config.post_training,
    )


def of_joined(
    config: AnalysisConfig, facts: Mapping[str, Facts], baseline: Analysis | None, quantity: bool
) -> Plan:
    """The plan for rows that a label was joined to, as `ModelBias` reads them: label and prediction are told
    by their class, or by the threshold of a quantity, which labels that nothing is known of are with
    `quantity`. The flip test is left out, because its features are not carried. Raises ConfigError.
    """
    facets = _facets(config, facts, baseline)
    assert config.label and (config.predicted or config.probability)
    names = [name for name in (config.label, config.predicted) if name]
    known = [facts[name] for name in names if name in facts and name != config.probability]
    own = known[0] if known else Facts("Fractional") if quantity else UNKNOWN
    said = [stage.label_value_or_threshold for stage in _stages(baseline) if stage.label in names]
    continuous = _is_quantity(own, said)
    problems: list[str] = []
    label = _told(config.label, own, config.positive, continuous, problems)
    if config.predicted and not config.probability:
        predicted = _told(config.predicted, own, config.positive, continuous, problems)
    else:
        predicted = _score(config)
    if problems:
        raise ConfigError("; ".join(problems))
    post = tuple(name for name in config.post_training if name != "FT")
    group = _group(config, facts)
    return Plan(facets, label, predicted, group, pre_training=config.pre_training, post_training=post)


def _told(name: str, own: Facts, values: Sequence[Value], continuous: bool, problems: list[str]) -> Column:
    """As `_column`, its values as the texts of classes."""
    column = _column(name, own, values, continuous, problems)
    if column.continuous:
        return column
    texts = frozenset(text for value in values if (text := normalised(value)) is not None)
    return Column(name, "String", (Choice(column.choices[0].text, texts),))


def _facets(
    config: AnalysisConfig, facts: Mapping[str, Facts], baseline: Analysis | None
) -> tuple[Facet, ...]:
    """Each facet, then the intersections. Raises ConfigError."""
    problems: list[str] = []
    columns = {facet.column: _facet(facet, facts, baseline, problems) for facet in config.facets}
    if problems:
        raise ConfigError("; ".join(problems))
    facets = [Facet((column,)) for column in columns.values()]
    return (*facets, *(Facet((columns[a], columns[b])) for a, b in config.intersections))


def _group(config: AnalysisConfig, facts: Mapping[str, Facts]) -> tuple[str, Kind] | None:
    return (config.group, facts.get(config.group, UNKNOWN).kind) if config.group else None


def _facet(
    facet: FacetConfig, facts: Mapping[str, Facts], baseline: Analysis | None, problems: list[str]
) -> Column:
    name, own = facet.column, facts.get(facet.column, UNKNOWN)
    known = _known(baseline, name)
    continuous = own.continuous if not known else all(_INTERVAL.match(text) for text in known)
    continuous = continuous if facet.continuous is None else facet.continuous
    if facet.values:
        return _column(name, own, facet.values, continuous, problems)
    if continuous:
        problems.append(f"facet {name} is a quantity: value_or_threshold must be a threshold")
    values = known or own.values
    if not values:
        problems.append(f"facet {name}: its values are not known; list them as value_or_threshold")
    elif len(values) > MOST_VALUES:
        problems.append(f"facet {name} has {len(values)} values, and at most {MOST_VALUES} are compared")
    return Column(name, own.kind, tuple(Choice(text, canonical([text], own.kind)) for text in values or ()))


def _column(name: str, own: Facts, values: Sequence[Value], continuous: bool, problems: list[str]) -> Column:
    """A column with one choice: the listed values or, of a quantity, what is above the one that is listed."""
    if len(values) > 1 or not continuous:
        choice = Choice(",".join(map(str, values)), canonical(values, own.kind))
        return Column(name, own.kind, (choice,))
    try:
        return Column(name, own.kind, (Choice(str(values[0]), above=float(values[0])),))
    except ValueError:
        problems.append(f"{name} is a quantity, and {values[0]!r} is no threshold of it")
        return Column(name, own.kind, (Choice(str(values[0])),))


def _outcomes(
    config: AnalysisConfig, facts: Mapping[str, Facts], baseline: Analysis | None, problems: list[str]
) -> tuple[Column | None, Column | None]:
    """Label and prediction. They are of one type, as Clarify has it; a score has a threshold of its own."""
    named = config.label or config.predicted
    own = facts.get(named or "", UNKNOWN)
    if own is UNKNOWN and config.predicted:
        own = facts.get(config.predicted, UNKNOWN)
    continuous = _is_quantity(own, [stage.label_value_or_threshold for stage in _stages(baseline)])
    label = predicted = None
    if config.label:
        label = _column(config.label, own, config.positive, continuous, problems)
    if config.probability:
        predicted = _score(config)
    elif config.predicted and config.positive:
        kind = facts.get(config.predicted, own)
        predicted = _column(config.predicted, kind, config.positive, continuous, problems)
    elif config.predicted:
        problems.append("label_values_or_threshold is missing: which predicted labels are positive?")
    return label, predicted


def _is_quantity(own: Facts, said: Sequence[str]) -> bool:
    """Whether a label is told by a threshold, for which its baseline's analysis has said an interval."""
    return bool(_INTERVAL.match(said[0])) if said else own.continuous


def _stages(baseline: Analysis | None) -> list[Stage]:
    return [stage for _, stage in baseline.stages()] if baseline else []


def _score(config: AnalysisConfig) -> Column:
    """The column of scores, which are positive above a threshold."""
    above = Choice(str(config.threshold), above=config.threshold)
    return Column(config.probability or "", "Fractional", (above,))


def _known(baseline: Analysis | None, facet: str) -> list[str]:
    """Values of a facet in the baseline's analysis."""
    for stage in _stages(baseline):
        if facet in stage.facets:
            return [entry.value_or_threshold for entry in stage.facets[facet]]
    return []


def _features(config: AnalysisConfig, facts: Mapping[str, Facts]) -> tuple[tuple[str, ...], str]:
    """Columns of the flip test, and why there are none. Clarify refuses all when one is not numeric."""
    said = {config.label, config.predicted, config.probability, config.group, *config.excluded}
    facets = {facet.column for facet in config.facets}
    columns = [name for name in facts if name not in said]
    if config.headers:
        columns = [name for name in columns if name in config.headers]
    usable = (*NUMERIC, "Boolean", "Unknown")
    odd = [name for name in columns if facts[name].kind not in usable and name not in facets]
    if odd:
        return (), f"FlipTest does not support non-numeric columns: {', '.join(odd[:5])}"
    numeric = tuple(name for name in columns if facts[name].kind in (*NUMERIC, "Boolean"))
    return numeric, "" if numeric else "there are no numeric features"


def range_key(text: str) -> str:
    """A value of a file as it can be compared over windows, see `Facet.keys`.

    >>> range_key("(40.0, 64.5]"), range_key("F & (40, 90]")
    ('>40', 'F & >40')
    """
    parts = []
    for part in text.split(AND):
        found = _INTERVAL.match(part)
        try:
            parts.append(key(float(found[1])) if found else part)
        except ValueError:
            parts.append(part)
    return AND.join(parts)
