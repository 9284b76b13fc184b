"""Shapley values: axioms, small games by brute force, linear models, and shap's KernelExplainer."""

from __future__ import annotations

from itertools import combinations, permutations
from math import factorial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitors.shap.background import means, prototypes
from monitors.shap.design import design
from monitors.shap.kernel import Background, ask, collected, default_samples, explain, linear

seeds = st.integers(0, 10**6)


def game(players: int, seed: int, outputs: int = 2):
    """A model that is a random table over which of its features are above 0: a game of its own."""
    table = np.random.default_rng(seed).normal(size=(2**players, outputs))

    def model(rows):
        return table[(rows > 0) @ (1 << np.arange(players))]

    return model


def values(model, rows, background, num_samples=None, **more):
    return collected(explain(model, np.asarray(rows, float), background, num_samples, **more))


def by_brute_force(model, row, background):
    """Shapley's formula, term by term."""
    d = len(row)

    def worth(players):
        rows = background.rows.copy()
        rows[:, list(players)] = row[list(players)]
        return background.weights @ model(rows)

    found = np.zeros((d, model(row[None]).shape[1]))
    for i in range(d):
        others = [j for j in range(d) if j != i]
        for size in range(d):
            share = factorial(size) * factorial(d - size - 1) / factorial(d)
            for c in combinations(others, size):
                found[i] += share * (worth((*c, i)) - worth(c))
    return found


@given(players=st.integers(1, 6), rows=st.integers(1, 3), seed=seeds)
@settings(max_examples=40, deadline=None)
def test_small_games_are_shapleys_formula(players, rows, seed):
    random = np.random.default_rng(seed)
    model = game(players, seed)
    background = Background.of(random.normal(size=(3, players)), random.random(3) + 0.1)
    x = random.normal(size=(rows, players))
    found = values(model, x, background)
    for row, explained in zip(x, found.values, strict=True):
        np.testing.assert_allclose(explained, by_brute_force(model, row, background), atol=1e-12)


@given(players=st.integers(2, 14), samples=st.integers(2, 300), seed=seeds, logit=st.booleans())
@settings(max_examples=60, deadline=None)
def test_values_sum_to_what_the_output_is_above_the_expected_however_few_coalitions(
    players, samples, seed, logit
):
    random = np.random.default_rng(seed)
    inner = game(players, seed)

    def model(rows):
        return 1 / (1 + np.exp(-inner(rows)))

    background = Background.of(random.normal(size=(2, players)))
    x = random.normal(size=(4, players))
    found = values(model, x, background, samples, link="logit" if logit else "identity", seed=seed)
    output, expected = model(x), background.weights @ model(background.rows)
    if logit:
        output, expected = (np.log(p / (1 - p)) for p in (output, expected))
    np.testing.assert_allclose(found.values.sum(axis=1), found.output - found.expected, atol=1e-9)
    np.testing.assert_allclose(found.output, output, atol=1e-9)
    np.testing.assert_allclose(found.expected, expected, atol=1e-9)


@given(seed=seeds, samples=st.sampled_from([64, 4096]))
@settings(max_examples=30, deadline=None)
def test_a_feature_that_is_the_backgrounds_has_no_value(seed, samples):
    random = np.random.default_rng(seed)
    x = random.normal(size=(3, 9))
    background = Background.of(random.normal(size=(2, 9)))
    x[0, 2:6] = background.rows[:, 2:6] = 1.5
    x[1, 7] = background.rows[:, 7] = np.nan
    found = values(lambda rows: np.nan_to_num(rows) @ np.arange(9.0) ** 2, x, background, samples, seed=1)
    assert (found.values[0, 2:6] == 0).all() and (found.values[1, 7] == 0).all()
    assert (np.abs(found.values[2]) > 0).sum() >= 5


@given(seed=seeds)
@settings(max_examples=20, deadline=None)
def test_a_feature_that_the_model_does_not_look_at_has_no_value_and_twins_have_the_same(seed):
    random = np.random.default_rng(seed)

    def model(rows):
        return rows[:, 0] * rows[:, 1] + np.maximum(rows[:, 2], 0) + rows[:, 0] * rows[:, 3] * rows[:, 1]

    x = random.normal(size=(3, 6))
    x[:, 1] = x[:, 0]
    background = Background.of(np.zeros((1, 6)))
    found = values(model, x, background).values
    np.testing.assert_allclose(found[:, 4:], 0, atol=1e-12)
    np.testing.assert_allclose(found[:, 0], found[:, 1], atol=1e-12)


@given(seed=seeds, features=st.integers(1, 25), samples=st.sampled_from([60, 500]))
@settings(max_examples=30, deadline=None)
def test_linear_models_are_exact_however_few_coalitions_beyond_the_features(seed, features, samples):
    random = np.random.default_rng(seed)
    coefficients, intercept = random.normal(size=(features, 2)), random.normal(size=2)
    background = Background.of(random.normal(size=(4, features)), random.random(4) + 0.1)
    x = random.normal(size=(5, features))
    exact = linear(coefficients, intercept, x, background)
    found = values(lambda rows: rows @ coefficients + intercept, x, background, samples, seed=seed)
    np.testing.assert_allclose(found.values, exact.values, atol=1e-9)
    np.testing.assert_allclose(found.expected, exact.expected, atol=1e-9)


@pytest.mark.parametrize("players", [5, 8, 13, 20, 64])
@pytest.mark.parametrize("samples", [4, 100, 2088])
def test_a_design_is_pairs_without_repetition_and_as_large_as_was_asked(players, samples):
    chosen = design(players, samples, 3)
    masks = chosen.masks
    rows = {mask.tobytes() for mask in masks}
    assert len(rows) == len(masks) == min(samples, 2**players - 2)
    assert {(~mask).tobytes() for mask in masks} == rows
    assert masks.any(axis=1).all() and not masks.all(axis=1).any()


def test_the_mean_over_permutations_is_the_same_thing():
    model = game(4, 7, 1)
    background = Background.of(np.full((1, 4), -1.0))
    row = np.ones(4)
    found = np.zeros(4)
    for order in permutations(range(4)):
        at = background.rows[0].copy()
        for player in order:
            before = model(at[None])[0, 0]
            at[player] = row[player]
            found[player] += (model(at[None])[0, 0] - before) / 24
    np.testing.assert_allclose(values(model, row[None], background).values[0, :, 0], found, atol=1e-12)


def test_how_rows_are_put_together_into_calls_changes_nothing():
    model, random = game(10, 1), np.random.default_rng(1)
    background = Background.of(random.normal(size=(3, 10)))
    x = random.normal(size=(7, 10))
    sizes = []

    def counted(rows):
        sizes.append(len(rows))
        return model(rows)

    whole = values(counted, x, background, 200, seed=2)
    calls = len(sizes)
    parts = values(counted, x, background, 200, seed=2, max_rows=250)
    np.testing.assert_allclose(whole.values, parts.values, atol=1e-12)
    assert calls == 2 and max(sizes[calls:]) == 250


def test_a_wrong_shape_is_refused():
    with pytest.raises(ValueError, match="answered"):
        ask(lambda rows: np.zeros(3), np.zeros((5, 2)))


@pytest.mark.parametrize("name", ["logistic", "forest", "neighbours"])
def test_values_of_three_models_are_kernel_explainers_within_sampling_error(name):
    """Both sample; exact values come from all 2^10 coalitions. Ours must be as near to them at equal samples
    (root mean square over rows and features, the mean of five seeds)."""
    shap = pytest.importorskip("shap")
    from sklearn.datasets import make_classification
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.linear_model import LogisticRegression
    from sklearn.neighbors import KNeighborsClassifier

    made = {
        "logistic": LogisticRegression(),
        "forest": RandomForestClassifier(20, random_state=0),
        "neighbours": KNeighborsClassifier(),
    }
    x, y = make_classification(400, 10, n_informative=7, random_state=3)
    model = made[name].fit(x, y)
    background = Background.of(x[:3])
    rows = x[10:14]
    exact = values(model.predict_proba, rows, background, 2**10)
    explainer = shap.KernelExplainer(model.predict_proba, x[:3])
    np.random.seed(0)
    all_of_them = explainer.shap_values(rows, nsamples=2**10, l1_reg=0, silent=True)
    np.testing.assert_allclose(exact.values, all_of_them, atol=1e-6)
    np.testing.assert_allclose(exact.expected, explainer.expected_value, atol=1e-9)
    ours, theirs = [], []
    for seed in range(5):
        np.random.seed(seed)
        of_theirs = explainer.shap_values(rows, nsamples=200, l1_reg=0, silent=True)
        of_ours = values(model.predict_proba, rows, background, 200, seed=seed).values
        theirs.append(np.sqrt(((of_theirs - exact.values) ** 2).mean()))
        ours.append(np.sqrt(((of_ours - exact.values) ** 2).mean()))
    assert np.mean(ours) <= np.mean(theirs) < 0.03


def test_prototypes_find_clusters_and_weigh_them():
    random = np.random.default_rng(0)
    numbers = np.concatenate([random.normal(0, 0.1, (60, 2)), random.normal(9, 0.1, (30, 2))])
    rows = np.column_stack([numbers, np.repeat([0.0, 1.0], [60, 30])])
    found = prototypes(rows, np.array([False, False, True]), seed=1)
    assert len(found.rows) == 2
    assert sorted(found.weights) == pytest.approx([1 / 3, 2 / 3])
    assert set(found.rows[:, 2]) == {0.0, 1.0}
    assert len(prototypes(rows, np.array([False, False, True]), 5, seed=1).rows) == 5
    assert len(prototypes(np.ones((4, 2)), np.array([False, True])).rows) == 1


def test_means_pass_over_what_is_missing():
    rows = np.array([[1.0, np.nan, 2.0], [3.0, np.nan, 2.0], [np.nan, np.nan, 5.0]])
    np.testing.assert_array_equal(means(rows, np.array([False, False, True])).rows, [[2.0, np.nan, 2.0]])


def test_the_default_is_kernel_shaps():
    assert default_samples(12) == 2072
