"""constraints.json of Model Monitor's data-quality job: what must hold, and how strictly."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, get_args, get_origin

import msgspec
from msgspec import Meta, Struct

from schemas.errors import BadBaseline
from schemas.layout import Kind

DEFAULTS: Mapping[str, Any] = {
    "evaluate_constraints": "Enabled",
    "emit_metrics": "Enabled",
    "datatype_check_threshold": 1.0,
    "domain_content_threshold": 1.0,
    "distribution_constraints": {
        "perform_comparison": "Enabled",
        "comparison_threshold": 0.1,
        "comparison_method": "Robust",
        "categorical_comparison_threshold": 0.1,
        "categorical_drift_method": "LInfinity",
    },
}

# The last four and the last three are not in Model Monitor.
NumericMethod = Literal["Simple", "Robust", "PSI", "JensenShannon", "Wasserstein", "Hellinger"]
CategoricalMethod = Literal["LInfinity", "ChiSquared", "PSI", "JensenShannon", "Hellinger"]
Share = Annotated[float, Meta(ge=0.0, le=1.0)]
_Distance = Annotated[float, Meta(ge=0.0)]
_Switch = Literal["Enabled", "Disabled"]
WHOLE_FILE = "false_discovery_rate"  # is over all features, so that none can override it
_SPELLINGS = {"linf_simple": "Simple", "linf_robust": "Robust"}  # as one page of AWS's guide names them

# Keys of `monitoring_config`, and of the `distribution_constraints` in it.
CONFIG: Mapping[str, Any] = {
    "evaluate_constraints": _Switch,
    "emit_metrics": _Switch,
    "datatype_check_threshold": Share,
    "domain_content_threshold": Share,
    "minimum_sample_size": Annotated[int, Meta(ge=0)],  # this one and the next are not in Model Monitor
    "false_discovery_rate": Share,
}
DRIFT: Mapping[str, Any] = {
    "perform_comparison": _Switch,
    "comparison_threshold": _Distance,
    "comparison_method": Literal[NumericMethod, "linf_simple", "linf_robust"],
    "categorical_comparison_threshold": _Distance,
    "categorical_drift_method": CategoricalMethod,
}


class Defaults(Struct, frozen=True):
    """What holds where a file does not have the keys that Model Monitor does not know: how many values a
    window and its baseline must have before a statistical check may fire, and which share of what such
    checks find may be chance. 0 and 1.0 switch both off, and checks fire as Model Monitor's do.
    """

    minimum_sample_size: int = 30
    false_discovery_rate: float = 0.05


class Rule(Struct, frozen=True):
    """What one feature must satisfy, overrides applied and defaults filled in. Shares are in [0, 1].

    `minimum_sample` is None where the file leaves it to the program.
    """

    name: str
    kind: Kind
    completeness: float | None = None
    non_negative: bool | None = None
    domains: frozenset[str] | None = None
    evaluate: bool = True
    emit: bool = True
    type_share: float = 1.0
    domain_share: float = 1.0
    compare: bool = True
    distance: float = 0.1
    method: NumericMethod = "Robust"
    categorical_distance: float = 0.1
    categorical_method: CategoricalMethod = "LInfinity"
    minimum_sample: int | None = None


class Constraints(Struct, frozen=True):
    """The file as it was read, unknown keys kept, and the rule of each feature, in the file's order.

    `false_discovery_rate`, over all features, is None where the file leaves it to the program.
    """

    document: Mapping[str, Any]
    rules: Mapping[str, Rule]
    false_discovery_rate: float | None = None


def parse(text: bytes, source: str = "constraints.json") -> Constraints:
    """Read a constraints.json, older and newer forms alike. Raises BadBaseline, naming every mistake.

    >>> parse(b'{"features": [{"name": "age", "inferred_type": "Whole"}]}')
    Traceback (most recent call last):
      ...
    schemas.errors.BadBaseline: constraints.json: age: inferred_type is 'Whole'
    """
    try:
        document = msgspec.json.decode(text, type=dict[str, Any])
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise BadBaseline(f"{source}: not a constraints file: {error}") from error
    return of(document, source)


def of(document: Mapping[str, Any], source: str = "constraints.json") -> Constraints:
    """Constraints from a document already decoded. Raises BadBaseline."""
    features = document.get("features")
    if not isinstance(features, list):
        raise BadBaseline(f"{source}: no list of features")
    problems: list[str] = []
    shared = _config(document.get("monitoring_config"), "monitoring_config", problems)
    rules: dict[str, Rule] = {}
    for index, feature in enumerate(features):
        if not isinstance(feature, dict) or not isinstance(feature.get("name"), str):
            problems.append(f"feature {index} has no name")
        elif feature["name"] in rules:
            problems.append(f"{feature['name']}: named twice")
        else:
            rules[feature["name"]] = _rule(feature, shared, problems)
    if problems:
        raise BadBaseline(f"{source}: " + "; ".join(problems))
    return Constraints(document, rules, shared.get(WHOLE_FILE))


def _rule(feature: Mapping[str, Any], shared: Mapping[str, Any], problems: list[str]) -> Rule:
    name = feature["name"]
    kind: Any = feature.get("inferred_type")
    if kind not in get_args(Kind):
        problems.append(f"{name}: inferred_type is {kind!r}")
    numeric = _object(feature.get("num_constraints"), f"{name}: num_constraints", problems)
    text = _object(feature.get("string_constraints"), f"{name}: string_constraints", problems)
    config = dict(shared)
    for holder, key in (  # the guide's spelling, the SDK's, and users'; the nearest to the feature wins
        (feature, "monitoringConfigOverrides"),
        (text, "monitoring_config_overrides"),
        (feature, "monitoring_config_overrides"),
    ):
        override = _config(holder.get(key), f"{name}: {key}", problems)
        if WHOLE_FILE in override:
            problems.append(f"{name}: {key}: {WHOLE_FILE} can only be set for the whole file")
        config |= override
    domains = _value(text, "domains", list[str] | None, name, problems)
    return Rule(
        name,
        kind,
        completeness=_value(feature, "completeness", Share | None, name, problems),
        non_negative=_value(numeric, "is_non_negative", bool | None, name, problems),
        domains=None if domains is None else frozenset(domains),
        **_settings(config),
    )


def _settings(config: Mapping[str, Any]) -> dict[str, Any]:
    """The part of a rule that `monitoring_config` and its overrides give, defaults filled in."""
    drift = DEFAULTS["distribution_constraints"]
    found = {**DEFAULTS, **drift, **config}
    return {
        "evaluate": found["evaluate_constraints"] == "Enabled",
        "emit": found["emit_metrics"] == "Enabled",
        "type_share": found["datatype_check_threshold"],
        "domain_share": found["domain_content_threshold"],
        "compare": found["perform_comparison"] == "Enabled",
        "distance": found["comparison_threshold"],
        "method": _SPELLINGS.get(found["comparison_method"], found["comparison_method"]),
        # older files have one threshold for both
        "categorical_distance": config.get("categorical_comparison_threshold", found["comparison_threshold"]),
        "categorical_method": found["categorical_drift_method"],
        "minimum_sample": config.get("minimum_sample_size"),
    }


def _config(found: Any, place: str, problems: list[str]) -> dict[str, Any]:
    """The keys given in a `monitoring_config` or an override of it, drift's beside the others."""
    config = _object(found, place, problems)
    drift = _object(config.get("distribution_constraints"), f"{place}: distribution_constraints", problems)
    given: dict[str, Any] = {}
    for holder, kinds in ((config, CONFIG), (drift, DRIFT)):
        for key, kind in kinds.items():
            if holder.get(key) is not None:
                given[key] = _value(holder, key, kind, place, problems)
    return given


def _object(found: Any, place: str, problems: list[str]) -> Mapping[str, Any]:
    if found is None or isinstance(found, dict):
        return found or {}
    problems.append(f"{place} is not an object")
    return {}


def _value(holder: Mapping[str, Any], key: str, kind: Any, place: str, problems: list[str]) -> Any:
    """One value of type `kind`; None, and a problem noted, where it is of another."""
    found = holder.get(key)
    if get_origin(kind) is Literal and isinstance(found, str) and found not in get_args(kind):
        problems.append(f"{place}: {key}: {found!r} is none of {', '.join(get_args(kind))}")
        return None
    try:
        return msgspec.convert(found, kind)
    except msgspec.ValidationError as error:
        problems.append(f"{place}: {key}: {error}")
        return None
