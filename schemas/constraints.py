"""constraints.json of Model Monitor's data-quality job: what must hold, and how strictly."""

from collections.abc import Mapping
from typing import Any, Literal, get_args

import msgspec
from msgspec import Struct

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

NumericMethod = Literal["Simple", "Robust"]
CategoricalMethod = Literal["LInfinity", "ChiSquared"]
_SPELLINGS = {"linf_simple": "Simple", "linf_robust": "Robust"}  # as one page of AWS's guide names them


class Rule(Struct, frozen=True):
    """What one feature must satisfy, overrides applied and defaults filled in. Shares are in [0, 1]."""

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


class Constraints(Struct, frozen=True):
    """The file as it was read, unknown keys kept, and the rule of each feature, in the file's order."""

    document: Mapping[str, Any]
    rules: Mapping[str, Rule]


def parse(text: bytes, source: str = "constraints.json") -> Constraints:
    """Read a constraints.json, older and newer forms alike. Raises BadBaseline, naming every mistake.

    >>> parse(b'{"features": [{"name": "age", "inferred_type": "Whole"}]}')
    Traceback (most recent call last):
      ...
    schemas.errors.BadBaseline: constraints.json: age: inferred_type is 'Whole'
    """
    try:
        document = msgspec.json.decode(text, type=dict[str, Any])
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise BadBaseline(f"{source}: not a constraints file: {error}") from error
    return of(document, source)


def of(document: Mapping[str, Any], source: str = "constraints.json") -> Constraints:
    """Constraints from a document already decoded. Raises BadBaseline."""
    features = document.get("features")
    if not isinstance(features, list):
        raise BadBaseline(f"{source}: no list of features")
    shared = document.get("monitoring_config") or {}
    problems: list[str] = []
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
    return Constraints(document, rules)


def _rule(feature: Mapping[str, Any], shared: Mapping[str, Any], problems: list[str]) -> Rule:
    name = feature["name"]
    if feature.get("inferred_type") not in get_args(Kind):
        problems.append(f"{name}: inferred_type is {feature.get('inferred_type')!r}")
        return Rule(name, "Unknown")
    numeric = feature.get("num_constraints") or {}
    text = feature.get("string_constraints") or {}
    config = _merge(DEFAULTS, shared)
    for override in (  # the guide's spelling, the SDK's, and users'; the nearest to the feature wins
        feature.get("monitoringConfigOverrides"),
        text.get("monitoring_config_overrides"),
        feature.get("monitoring_config_overrides"),
    ):
        config = _merge(config, override or {})
    drift = config["distribution_constraints"]
    method = _SPELLINGS.get(drift["comparison_method"], drift["comparison_method"])
    categorical_default = drift["categorical_comparison_threshold"]
    if "categorical_comparison_threshold" not in (shared.get("distribution_constraints") or {}):
        categorical_default = drift["comparison_threshold"]
    fields = {
        "name": name,
        "kind": feature["inferred_type"],
        "completeness": feature.get("completeness"),
        "non_negative": numeric.get("is_non_negative"),
        "domains": text.get("domains"),
        "evaluate": config["evaluate_constraints"] == "Enabled",
        "emit": config["emit_metrics"] == "Enabled",
        "type_share": config["datatype_check_threshold"],
        "domain_share": config["domain_content_threshold"],
        "compare": drift["perform_comparison"] == "Enabled",
        "distance": drift["comparison_threshold"],
        "method": method,
        "categorical_distance": categorical_default,
        "categorical_method": drift["categorical_drift_method"],
    }
    try:
        return msgspec.convert(fields, Rule)
    except msgspec.ValidationError as error:
        problems.append(f"{name}: {error}")
        return Rule(name, "Unknown")


def _merge(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """`over` key by key on top of `base`, one level of nesting included."""
    return {
        **base,
        **{
            key: _merge(base[key], value)
            if isinstance(value, Mapping) and isinstance(base.get(key), Mapping)
            else value
            for key, value in over.items()
        },
    }
