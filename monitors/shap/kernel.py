"""Kernel SHAP: Shapley values of any model, by asking it about rows of which a part is the baseline's."""

from collections.abc import Callable, Iterator
from typing import Literal, TypeAlias

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from monitors.shap.design import Design, design
from monitors.shap.questions import Questions, distinct

Array: TypeAlias = NDArray[np.float64]
Model: TypeAlias = Callable[[Array], Array]
"""Rows, shape (rows, features), to outputs, shape (rows,) or (rows, outputs)."""

Link: TypeAlias = Literal["identity", "logit"]

MAX_ROWS = 65_536  # of one call of the model
_EDGE = 1e-12  # probabilities nearer to 0 and 1 have no log-odds that mean anything


class Background(Struct, frozen=True):
    """What stands for a feature that is unknown: `rows`, shape (rows, features), and the weight of each,
    which sum to 1."""

    rows: Array
    weights: Array

    @classmethod
    def of(cls, rows: Array, weights: Array | None = None) -> "Background":
        """Rows that weigh the same, unless `weights` are given."""
        found = np.ones(len(rows)) if weights is None else np.asarray(weights, np.float64)
        return cls(np.asarray(rows, np.float64), found / found.sum())


class Explained(Struct, frozen=True):
    """Shapley values, shape (rows, features, outputs), of the rows at the places `at`, with the model's
    output there and the expected output, shapes (rows, outputs) and (outputs,); both after the link."""

    at: NDArray[np.int64]
    values: Array
    output: Array
    expected: Array


def default_samples(features: int) -> int:
    """Coalitions of a row where nothing else is said: 2 d + 2048, as in Kernel SHAP's own package."""
    return 2 * features + 2048


def explain(
    model: Model,
    rows: Array,
    background: Background,
    num_samples: int | None = None,
    link: Link = "identity",
    seed: int | None = None,
    max_rows: int = MAX_ROWS,
) -> Iterator[Explained]:
    """Shapley values of `rows`, shape (rows, features), in portions as the model answers.

    The worth of a coalition S is link(mean over the background of f(x on S, background elsewhere)), counted
    from that of no feature. A feature that equals every background value (missing equals missing) plays no
    part: its value is 0, and rows with so few others that all coalitions fit `num_samples` are exact. Rows
    are taken in their order, so many at once that no call of the model exceeds `max_rows`, and of rows that
    are the same the model is asked for one. What the model raises is let through: portions given stand.

    Source: Lundberg & Lee 2017, A Unified Approach to Interpreting Model Predictions.
    """
    wanted = num_samples or default_samples(rows.shape[1])
    expected = _worth(model, background.rows[None], background.weights, link, max_rows)[0]
    plays = _differs(rows, background)
    counts = plays.sum(axis=1)
    plans = {int(n): design(int(n), wanted, seed) for n in np.unique(counts)}
    for at in _portions(counts, plans, len(background.rows), max_rows):
        values, output = _portion(model, rows[at], plays[at], plans, background, link, max_rows, expected)
        yield Explained(at, values, output, expected)


def collected(parts: Iterator[Explained]) -> Explained:
    """All portions in one, rows in their order."""
    found = [*parts]
    order = np.argsort(np.concatenate([part.at for part in found]))
    at, values, output = (
        np.concatenate([getattr(part, name) for part in found])[order] for name in ("at", "values", "output")
    )
    return Explained(at, values, output, found[0].expected)


def linear(coefficients: Array, intercept: Array, rows: Array, background: Background) -> Explained:
    """Shapley values of rows @ coefficients + intercept, exact and without a call of the model.

    `coefficients` has shape (features, outputs), `intercept` (outputs,). The value of a feature is its
    coefficient times how far it is from the background's mean.
    """
    middle = background.weights @ background.rows
    values = (rows - middle)[:, :, None] * coefficients[None]
    return Explained(
        np.arange(len(rows)), values, rows @ coefficients + intercept, middle @ coefficients + intercept
    )


def _differs(rows: Array, background: Background) -> NDArray[np.bool_]:
    """Where a row differs from some background row, shape (rows, features)."""
    differs = np.zeros(rows.shape, np.bool_)
    for other in background.rows:
        differs |= (rows != other) & ~(np.isnan(rows) & np.isnan(other))
    return differs


def _portions(
    counts: NDArray[np.int64], plans: dict[int, Design], background: int, max_rows: int
) -> Iterator[NDArray[np.int64]]:
    """Places of rows that are asked about together."""
    costs = np.array([len(plans[int(n)].masks) * background + 1 for n in counts], np.int64)
    start = spent = 0
    for place, cost in enumerate(costs):
        if place > start and spent + cost > max_rows:
            yield np.arange(start, place)
            start, spent = place, 0
        spent += int(cost)
    if len(counts):
        yield np.arange(start, len(counts))


def _portion(
    model: Model,
    rows: Array,
    plays: NDArray[np.bool_],
    plans: dict[int, Design],
    background: Background,
    link: Link,
    max_rows: int,
    expected: Array,
) -> tuple[Array, Array]:
    """Shapley values and outputs of a few rows, by one question to the model."""
    counts = plays.sum(axis=1)
    groups = [(plans[int(n)], np.flatnonzero(counts == n)) for n in np.unique(counts)]
    questions = [Questions.of(rows[at], plays[at], plan.masks, background.rows) for plan, at in groups]
    different, of_each, places = distinct([question.marks() for question in questions])
    asked = [q.rows(d - start) for q, d, start in zip(questions, different, of_each, strict=True)]
    answers = ask(model, np.concatenate([rows, *asked]), max_rows)
    output = _linked(answers[: len(rows)], link)
    values = np.zeros((*rows.shape, answers.shape[1]))
    for (plan, at), answered in zip(groups, (answers[len(rows) :][place] for place in places), strict=True):
        shape = (len(at), len(plan.masks), len(background.rows), answers.shape[1])
        worth = np.einsum("rmbo,b->rmo", answered.reshape(shape), background.weights)
        if plays[at].any():
            found = plan.values(_linked(worth, link) - expected, output[at] - expected)
            values[at[:, None], _players(plays[at])] = found
    return values, output


def _players(plays: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Features that play a part, shape (rows, players): as many in each row."""
    return np.nonzero(plays)[1].reshape(len(plays), -1)


def _worth(model: Model, groups: Array, weights: Array, link: Link, max_rows: int) -> Array:
    """Worth of groups of rows, shape (groups, rows, features), as (groups, outputs)."""
    answers = ask(model, groups.reshape(-1, groups.shape[2]), max_rows)
    by_group = answers.reshape(len(groups), groups.shape[1], answers.shape[1])
    return _linked(np.einsum("gbo,b->go", by_group, weights), link)


def ask(model: Model, rows: Array, max_rows: int = MAX_ROWS) -> Array:
    """The model's outputs, shape (rows, outputs), in calls of at most `max_rows`.

    Raises ValueError where an answer has not a row for each that was asked.
    """
    parts = []
    for start in range(0, len(rows), max_rows):
        asked = rows[start : start + max_rows]
        answer = np.asarray(model(asked), np.float64)
        answer = answer[:, None] if answer.ndim == 1 else answer
        if answer.ndim != 2 or len(answer) != len(asked) or not answer.shape[1]:
            raise ValueError(f"the model answered {answer.shape} to {len(asked)} rows")
        parts.append(answer)
    if len({part.shape[1] for part in parts}) > 1:
        raise ValueError("the model answered with different numbers of outputs")
    return np.concatenate(parts)


def _linked(values: Array, link: Link) -> Array:
    if link == "identity":
        return values
    inside = np.clip(values, _EDGE, 1 - _EDGE)
    found: Array = np.log(inside) - np.log1p(-inside)
    return found
