"""Changing one setting of a constraints file and nothing else in it."""

from collections.abc import Mapping
from typing import Any

from schemas.constraints import CONFIG, DRIFT, WHOLE_FILE, Constraints, of
from schemas.errors import BadBaseline


def edited(constraints: Constraints, feature: str | None, key: str, value: Any) -> dict[str, Any]:
    """The file's document with `key` of `monitoring_config` set: for one feature, as its
    `monitoring_config_overrides`, or for all (None). Every other key stays, those that we do not know too.

    Raises BadBaseline where the key or the feature is not known, or the value does not fit.

    >>> age = of({"features": [{"name": "age", "inferred_type": "Integral", "mine": 1}]})
    >>> edited(age, "age", "comparison_threshold", 0.3)["features"][0]["monitoring_config_overrides"]
    {'distribution_constraints': {'comparison_threshold': 0.3}}
    """
    if key not in CONFIG and key not in DRIFT:
        raise BadBaseline(f"{key} is none of {', '.join([*CONFIG, *DRIFT])}")
    document = dict(constraints.document)
    if feature is None:
        document["monitoring_config"] = _with(document.get("monitoring_config"), key, value)
    elif key == WHOLE_FILE:
        raise BadBaseline(f"{key} can only be set for the whole file")
    elif feature in constraints.rules:
        document["features"] = [
            _overridden(known, key, value) if known["name"] == feature else known
            for known in document["features"]
        ]
    else:
        raise BadBaseline(f"no feature {feature}")
    of(document)  # a value that does not fit is named here
    return document


def _overridden(feature: Mapping[str, Any], key: str, value: Any) -> dict[str, Any]:
    """The feature with the override in the spelling that is nearest to it, which wins over the others."""
    name = "monitoring_config_overrides"
    return {**feature, name: _with(feature.get(name), key, value)}


def _with(config: Mapping[str, Any] | None, key: str, value: Any) -> dict[str, Any]:
    known = dict(config or {})
    if key in CONFIG:
        return known | {key: value}
    drift = known.get("distribution_constraints") or {}
    return known | {"distribution_constraints": {**drift, key: value}}
