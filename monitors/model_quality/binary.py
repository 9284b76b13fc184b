"""Quality of a binary classifier, in the order of Model Monitor's statistics.json."""

from typing import Any

from monitors.model_quality import ranking
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
    score,
)
from monitors.model_quality.ranking import Ranked
from monitors.model_quality.sampling import undefined
from schemas.quality import Metric

_POSITIVE, _OTHER = 1, 0
_NO_LABEL = "no label is the positive class"
_NO_PREDICTION = "no prediction is the positive class"
_NEITHER = "neither a label nor a prediction is the positive class"
_ALL = "every label is the positive class"
_BETAS = {"f0_5": 0.5, "f1": 1.0, "f2": 2.0}


def metrics(confusion: Confusion, ranked: Ranked, positive: str, names: list[str]) -> dict[str, Any]:
    """All metrics by Model Monitor's names; without probabilities there is no AUC and no curve.

    `names` are classes that the confusion matrix has in any case.
    """
    if confusion.cells is None:
        return dict.fromkeys(_of_matrix(confusion.binary(positive)), undefined("too many classes"))
    shown = all_names(confusion, [*names, positive])
    listed = {"confusion_matrix": document(confusion.matrix(shown), shown)}
    return listed | of_matrix(confusion.binary(positive), ranked)


def of_matrix(matrix: Matrix, ranked: Ranked) -> dict[str, Any]:
    """The metrics of counts, shape (2, 2), and of probabilities."""
    found: dict[str, Any] = dict(_of_matrix(matrix))
    if not len(ranked.values):
        return found
    curves = {
        "receiver_operating_characteristic_curve": ranking.receiver_operating_characteristic(ranked),
        "precision_recall_curve": ranking.precision_recall(ranked),
    }
    f_scores = {name: found.pop(name) for name in list(found) if name.startswith("f") and name[1].isdigit()}
    found |= {name: curve for name, curve in curves.items() if curve is not None}
    return found | {"auc": ranking.auc(ranked)} | f_scores


def _of_matrix(matrix: Matrix) -> dict[str, Metric]:
    """Metrics that a confusion matrix gives; each in [0, 1].

    recall = true_positive_rate = tp / (tp + fn), precision = tp / (tp + fp), true_negative_rate =
    tn / (tn + fp), the false rates 1 - those, F_b = (1 + b**2) tp / ((1 + b**2) tp + b**2 fn + fp).
    The constant classifier always answers the positive class.
    """
    always = constant(matrix, _POSITIVE)
    recall = score(matrix, _POSITIVE, RECALL, _NO_LABEL)
    negative = score(matrix, _OTHER, RECALL, _ALL)
    return {
        "recall": recall,
        "precision": score(matrix, _POSITIVE, PRECISION, _NO_PREDICTION),
        "accuracy": accuracy(matrix),
        "recall_best_constant_classifier": score(always, _POSITIVE, RECALL, _NO_LABEL),
        "precision_best_constant_classifier": score(always, _POSITIVE, PRECISION, _NO_PREDICTION),
        "accuracy_best_constant_classifier": accuracy(always),
        "true_positive_rate": recall,
        "true_negative_rate": negative,
        "false_positive_rate": _rest(negative),
        "false_negative_rate": _rest(recall),
        **{name: score(matrix, _POSITIVE, f_weight(beta), _NEITHER) for name, beta in _BETAS.items()},
        **{
            f"{name}_best_constant_classifier": score(always, _POSITIVE, f_weight(beta), _NEITHER)
            for name, beta in _BETAS.items()
        },
    }


def _rest(share: Metric) -> Metric:
    """What is missing to 1."""
    if share.value is None:
        return share
    return Metric(1.0 - share.value, share.standard_deviation)
