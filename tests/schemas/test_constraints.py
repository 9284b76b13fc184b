"""constraints.json in all its forms: real files, overrides, defaults, and mistakes named all at once."""

import json
from typing import Any

import pytest

from schemas.constraints import DEFAULTS, Rule, of, parse
from schemas.errors import BadBaseline

REAL = [
    ("data/pairs/sdk-data-quality/constraints.json", 6),
    ("data/pairs/sdk-data-quality/constraints.bad-case.json", 6),
    ("data/pairs/housing-data-quality/constraints.json", 14),
    ("data/captures/sdk-monitor/constraints.json", 2),
    ("data/captures/audio-endpoint-constraints.json", 8),
    ("spec/examples/model-monitor/constraints.json", 4),
    ("spec/examples/model-monitor/constraints-with-overrides.json", 3),
]
OF_ANOTHER_MONITOR = [
    "data/pairs/sdk-model-quality-regression/constraints.json",
    "data/pairs/autopilot-regression-shap/constraints.json",
    "spec/examples/model-monitor/model-quality-binary-constraints.json",
]


def rule(config: dict[str, Any] | None = None, kind: str = "String", **feature: Any) -> Rule:
    document = {"features": [{"name": "f", "inferred_type": kind} | feature], "monitoring_config": config}
    return of(document).rules["f"]


def mistakes(document: Any) -> list[str]:
    with pytest.raises(BadBaseline) as caught:
        parse(json.dumps(document).encode(), "c.json")
    return str(caught.value).removeprefix("c.json: ").split("; ")


@pytest.mark.parametrize(("path", "count"), REAL)
def test_a_real_constraints_file_is_read(shared, path, count):
    text = (shared / path).read_bytes()
    constraints = parse(text)
    assert len(constraints.rules) == count
    assert constraints.document == json.loads(text)
    assert list(constraints.rules) == [feature["name"] for feature in json.loads(text)["features"]]


@pytest.mark.parametrize("path", OF_ANOTHER_MONITOR)
def test_the_constraints_of_another_monitor_are_refused(shared, path):
    with pytest.raises(BadBaseline, match="no list of features"):
        parse((shared / path).read_bytes())


def test_a_real_file_gives_the_rules_that_are_written_in_it(shared):
    rules = parse((shared / "data/captures/audio-endpoint-constraints.json").read_bytes()).rules
    assert {name for name, rule in rules.items() if rule.non_negative is False} == {"_c4", "_c6"}
    housing = parse((shared / "data/pairs/housing-data-quality/constraints.json").read_bytes()).rules
    assert len(housing["state"].domains or ()) == 54
    assert housing["zipcode"].domains is None
    assert housing["price"] == Rule("price", "Fractional", completeness=1.0, non_negative=True)


def test_the_oldest_file_is_read_without_its_forgotten_keys(shared):
    rules = parse((shared / "data/captures/sdk-monitor/constraints.json").read_bytes()).rules
    assert (rules["message"].distance, rules["message"].categorical_distance) == (1.0, 1.0)
    assert rules["message"].method == "Robust"


def test_what_a_file_leaves_out_is_as_model_monitor_has_it():
    plain = Rule("f", "String")
    assert rule() == rule({}) == rule(dict(DEFAULTS)) == plain
    assert (plain.evaluate, plain.emit, plain.compare) == (True, True, True)
    assert (plain.type_share, plain.domain_share, plain.distance, plain.categorical_distance) == (
        1.0,
        1.0,
        0.1,
        0.1,
    )
    assert (plain.method, plain.categorical_method) == ("Robust", "LInfinity")
    assert (plain.completeness, plain.non_negative, plain.domains) == (None, None, None)


def test_each_key_of_the_configuration_reaches_the_rule():
    drift = {
        "perform_comparison": "Disabled",
        "comparison_threshold": 0.2,
        "comparison_method": "Simple",
        "categorical_comparison_threshold": 0.3,
        "categorical_drift_method": "ChiSquared",
    }
    config = {
        "evaluate_constraints": "Disabled",
        "emit_metrics": "Disabled",
        "datatype_check_threshold": 0.9,
        "domain_content_threshold": 0,
        "distribution_constraints": drift,
    }
    assert rule(config) == Rule(
        "f", "String", None, None, None, False, False, 0.9, 0.0, False, 0.2, "Simple", 0.3, "ChiSquared"
    )


@pytest.mark.parametrize(("spelling", "method"), [("linf_simple", "Simple"), ("linf_robust", "Robust")])
def test_the_guides_other_names_of_the_methods_are_understood(spelling, method):
    assert rule({"distribution_constraints": {"comparison_method": spelling}}).method == method


@pytest.mark.parametrize(
    "feature",
    [
        {"monitoringConfigOverrides": {"datatype_check_threshold": 0.5}},
        {"monitoring_config_overrides": {"datatype_check_threshold": 0.5}},
        {"string_constraints": {"monitoring_config_overrides": {"datatype_check_threshold": 0.5}}},
    ],
)
def test_an_override_is_read_in_each_of_its_three_spellings(feature):
    found = rule({"datatype_check_threshold": 0.8, "domain_content_threshold": 0.7}, **feature)
    assert (found.type_share, found.domain_share) == (0.5, 0.7)


def test_of_several_overrides_the_one_nearest_to_the_feature_wins_key_by_key():
    found = rule(
        {},
        monitoringConfigOverrides={
            "datatype_check_threshold": 0.1,
            "domain_content_threshold": 0.1,
            "emit_metrics": "Disabled",
        },
        string_constraints={
            "monitoring_config_overrides": {"datatype_check_threshold": 0.2, "domain_content_threshold": 0.2}
        },
        monitoring_config_overrides={"datatype_check_threshold": 0.3},
    )
    assert (found.type_share, found.domain_share, found.emit) == (0.3, 0.2, False)


def test_an_override_of_drift_leaves_the_other_keys_of_drift():
    shared = {"distribution_constraints": {"comparison_threshold": 0.2, "comparison_method": "Simple"}}
    found = rule(
        shared, monitoring_config_overrides={"distribution_constraints": {"comparison_threshold": 0.4}}
    )
    assert (found.distance, found.method) == (0.4, "Simple")


def test_the_categorical_threshold_falls_back_to_the_numeric_one():
    """Files of before 2023 have one threshold for both; an override may bring the newer key alone."""
    old = {"distribution_constraints": {"comparison_threshold": 0.4}}
    newer = {
        "distribution_constraints": {"comparison_threshold": 0.4, "categorical_comparison_threshold": 0.2}
    }
    override = {
        "monitoring_config_overrides": {"distribution_constraints": {"categorical_comparison_threshold": 0.6}}
    }
    assert [rule(old).categorical_distance, rule(newer).categorical_distance] == [0.4, 0.2]
    assert [rule(old, **override).categorical_distance, rule(newer, **override).categorical_distance] == [
        0.6,
        0.6,
    ]


def test_the_overrides_example_is_read(shared):
    rules = parse((shared / "spec/examples/model-monitor/constraints-with-overrides.json").read_bytes()).rules
    assert [rules["age"].evaluate, rules["region"].evaluate] == [False, True]
    assert (rules["income"].distance, rules["income"].method, rules["age"].method) == (
        0.3,
        "Simple",
        "Robust",
    )


def test_every_mistake_is_named_with_its_place():
    document = {
        "monitoring_config": {
            "evaluate_constraints": "enabled",
            "datatype_check_threshold": 1.5,
            "distribution_constraints": {"comparison_method": "KS", "comparison_threshold": -0.1},
        },
        "features": [
            {"inferred_type": "String"},
            {"name": "a", "inferred_type": "Text", "completeness": 2},
            {"name": "a", "inferred_type": "String"},
            {"name": "b", "inferred_type": "Integral", "num_constraints": {"is_non_negative": "yes"}},
            {"name": "c", "inferred_type": "String", "string_constraints": {"domains": "north"}},
            {"name": "d", "inferred_type": "String", "string_constraints": []},
            {"name": "e", "inferred_type": "String", "monitoring_config_overrides": {"emit_metrics": True}},
            "f",
        ],
    }
    assert mistakes(document) == [
        "monitoring_config: evaluate_constraints: 'enabled' is none of Enabled, Disabled",
        "monitoring_config: datatype_check_threshold: Expected `float` <= 1.0",
        "monitoring_config: comparison_threshold: Expected `float` >= 0.0",
        "monitoring_config: comparison_method: 'KS' is none of Simple, Robust, PSI, JensenShannon, "
        "Wasserstein, Hellinger, linf_simple, linf_robust",
        "feature 0 has no name",
        "a: inferred_type is 'Text'",
        "a: completeness: Expected `float` <= 1.0",
        "a: named twice",
        "b: is_non_negative: Expected `bool | null`, got `str`",
        "c: domains: Expected `array | null`, got `str`",
        "d: string_constraints is not an object",
        "e: monitoring_config_overrides: emit_metrics: Expected `str`, got `bool`",
        "feature 7 has no name",
    ]


@pytest.mark.parametrize(
    ("document", "mistake"),
    [
        ({"features": [], "monitoring_config": "x"}, "monitoring_config is not an object"),
        (
            {"features": [], "monitoring_config": {"distribution_constraints": 1}},
            "monitoring_config: distribution_constraints is not an object",
        ),
        ({"features": [{"name": "a", "inferred_type": ["String"]}]}, "a: inferred_type is ['String']"),
        ({"features": [{"name": "a"}]}, "a: inferred_type is None"),
        ({"features": {}}, "no list of features"),
        ({}, "no list of features"),
    ],
)
def test_a_document_of_the_wrong_shape_is_a_mistake_and_no_crash(document, mistake):
    assert mistakes(document) == [mistake]


@pytest.mark.parametrize("text", [b"", b"{", b"[]", b'"a"', b'{"a": "\xff"}', b'{"a":' + b"[" * 100_000])
def test_what_is_no_json_object_is_no_constraints_file(text):
    with pytest.raises(BadBaseline, match=r"x/constraints\.json: not a constraints file"):
        parse(text, "x/constraints.json")


@pytest.mark.parametrize("method", ["PSI", "JensenShannon", "Hellinger"])
def test_distances_that_model_monitor_does_not_have_can_be_named(method):
    drift = {"comparison_method": method, "categorical_drift_method": method}
    found = rule({"distribution_constraints": drift})
    assert (found.method, found.categorical_method) == (method, method)
    assert (found.distance, found.categorical_distance) == (0.1, 0.1)


def test_a_method_that_nobody_knows_is_an_error_that_names_those_known():
    drift = {"comparison_method": "psi", "categorical_drift_method": "Wasserstein"}
    document = {"features": [], "monitoring_config": {"distribution_constraints": drift}}
    assert mistakes(document) == [
        "monitoring_config: comparison_method: 'psi' is none of Simple, Robust, PSI, JensenShannon, "
        "Wasserstein, Hellinger, linf_simple, linf_robust",
        "monitoring_config: categorical_drift_method: 'Wasserstein' is none of LInfinity, ChiSquared, PSI, "
        "JensenShannon, Hellinger",
    ]


@pytest.mark.parametrize(
    "feature",
    [
        {"monitoringConfigOverrides": {"minimum_sample_size": 5}},
        {"monitoring_config_overrides": {"minimum_sample_size": 5}},
        {"string_constraints": {"monitoring_config_overrides": {"minimum_sample_size": 5}}},
    ],
)
def test_a_minimum_sample_size_is_the_files_or_the_features(feature):
    assert rule({}).minimum_sample is None
    assert rule({"minimum_sample_size": 0}).minimum_sample == 0
    assert rule({"minimum_sample_size": 100}, **feature).minimum_sample == 5


def test_a_false_discovery_rate_is_the_files_alone():
    assert of({"features": []}).false_discovery_rate is None
    config = {"false_discovery_rate": 1.0}
    assert of({"features": [], "monitoring_config": config}).false_discovery_rate == 1.0
    feature = {"name": "f", "inferred_type": "String", "monitoring_config_overrides": config}
    assert mistakes({"features": [feature], "monitoring_config": {"false_discovery_rate": 1.1}}) == [
        "monitoring_config: false_discovery_rate: Expected `float` <= 1.0",
        "f: monitoring_config_overrides: false_discovery_rate can only be set for the whole file",
    ]


def test_what_model_monitor_does_not_know_is_in_no_suggestion():
    assert "minimum_sample_size" not in json.dumps(DEFAULTS)
    assert "false_discovery_rate" not in json.dumps(DEFAULTS)
