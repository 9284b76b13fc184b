"""Quality of a classifier with several classes, in the order of Model Monitor's statistics.json."""

from typing import Any

from monitors.model_quality.confusion import (
    PRECISION,
    RECALL,
    Confusion,
    Matrix,
    accuracy,
    all_names,
    constant,
    document,
    f_weight,
    weighted,
)
from monitors.model_quality.sampling import undefined
from schemas.quality import Metric

_WEIGHTS = {
    "weighted_recall": RECALL,
    "weighted_precision": PRECISION,
    "weighted_f0_5": f_weight(0.5),
    "weighted_f1": f_weight(1.0),
    "weighted_f2": f_weight(2.0),
}


def metrics(confusion: Confusion, names: list[str], answer: str | None = None) -> dict[str, Any]:
    """All metrics by Model Monitor's names; each in [0, 1].

    A weighted metric is the mean of that of each class by its share of labels. The constant classifier always
    answers `answer`, by default the last class in order, as in Model Monitor's examples; that it is "best" is
    only its name. `names` are classes that the matrix has in any case.
    """
    if confusion.cells is None:
        return dict.fromkeys(("accuracy", *_WEIGHTS), undefined("too many classes"))
    shown = all_names(confusion, names)
    matrix = confusion.matrix(shown)
    if not shown:
        matrix = confusion.matrix([""])
    seen = shown.index(answer) if answer in shown else len(shown) - 1
    best = _of_matrix(constant(matrix, seen))
    return {
        "confusion_matrix": document(matrix, shown) if shown else {},
        **_of_matrix(matrix),
        **{f"{name}_best_constant_classifier": metric for name, metric in best.items()},
    }


def _of_matrix(matrix: Matrix) -> dict[str, Metric]:
    return {"accuracy": accuracy(matrix)} | {name: weighted(matrix, w) for name, w in _WEIGHTS.items()}
