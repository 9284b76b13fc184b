"""One setting of a constraints file changed, and nothing else."""

import json

import pytest

from schemas.constraints import of, parse
from schemas.errors import BadBaseline
from schemas.overrides import edited

PLAIN = {
    "version": 0.0,
    "made_by": {"team": "risk"},
    "features": [
        {"name": "age", "inferred_type": "Integral", "note": "in years"},
        {
            "name": "city",
            "inferred_type": "String",
            "string_constraints": {
                "domains": ["a"],
                "monitoring_config_overrides": {"emit_metrics": "Disabled"},
            },
            "monitoring_config_overrides": {"owner": "x", "distribution_constraints": {"mine": 1}},
        },
    ],
    "monitoring_config": {"datatype_check_threshold": 0.9, "ours": True},
}
REAL = [
    "data/pairs/sdk-data-quality/constraints.json",
    "data/pairs/sdk-data-quality/constraints.bad-case.json",
    "data/pairs/housing-data-quality/constraints.json",
]


@pytest.mark.parametrize("path", REAL)
def test_a_real_file_comes_back_with_one_override_more_and_all_else_as_it_was(shared, path):
    before = json.loads((shared / path).read_text())
    known = parse((shared / path).read_bytes())
    name = list(known.rules)[-1]
    after = edited(known, name, "comparison_threshold", 0.25)
    again = parse(json.dumps(after).encode())
    assert again.rules[name].distance == 0.25
    assert {n: r for n, r in again.rules.items() if n != name} == {
        n: r for n, r in known.rules.items() if n != name
    }
    override = after["features"][-1].pop("monitoring_config_overrides")
    assert override == {"distribution_constraints": {"comparison_threshold": 0.25}}
    assert after == before == known.document


def test_unknown_keys_stay_beside_the_new_one_at_every_level():
    known = of(PLAIN)
    age, city = edited(known, "city", "categorical_drift_method", "PSI")["features"]
    assert age == PLAIN["features"][0]
    assert city["monitoring_config_overrides"] == {
        "owner": "x",
        "distribution_constraints": {"mine": 1, "categorical_drift_method": "PSI"},
    }
    assert known.document == PLAIN
    assert "categorical_drift_method" not in json.dumps(PLAIN)


def test_a_setting_for_all_features_is_the_files():
    after = edited(of(PLAIN), None, "false_discovery_rate", 0.01)
    assert after["monitoring_config"] == {
        "datatype_check_threshold": 0.9,
        "ours": True,
        "false_discovery_rate": 0.01,
    }
    assert of(after).false_discovery_rate == 0.01
    assert edited(of({"features": []}), None, "comparison_method", "PSI")["monitoring_config"] == {
        "distribution_constraints": {"comparison_method": "PSI"}
    }


@pytest.mark.parametrize(
    ("feature", "key", "value", "why"),
    [
        ("age", "threshold", 1, "threshold is none of evaluate_constraints, "),
        ("size", "emit_metrics", "Disabled", "no feature size"),
        ("age", "false_discovery_rate", 0.1, "can only be set for the whole file"),
        ("age", "comparison_method", "KS", "'KS' is none of Simple, Robust"),
        (None, "minimum_sample_size", -1, "minimum_sample_size: Expected `int` >= 0"),
    ],
)
def test_what_a_constraints_file_cannot_hold_is_refused(feature, key, value, why):
    with pytest.raises(BadBaseline, match=why):
        edited(of(PLAIN), feature, key, value)
