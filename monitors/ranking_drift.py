"""Feature-attribution drift: how far the ranking of features is from the baseline's, and which moved."""

from collections.abc import Mapping, Sequence

import numpy as np
from msgspec import UNSET, Struct

from monitors import severity
from monitors.ndcg import ndcg
from monitors.shap.attributions import Aggregate, Attributions
from monitors.shap.kernel import Array
from schemas.analysis import LabelExplanation, Move, RankingDrift
from schemas.constraints import Defaults
from schemas.report import Violation

CHECK = "feature_attribution_drift_check"
THRESHOLD = 0.9  # Clarify's, where it cannot be set

_RESAMPLES = 400
_MOVES = 10  # features named
_SAID = 3  # of those in a violation's text


class Judging(Struct, frozen=True):
    """nDCG below `threshold` is a violation. Unless `compatible`, only where the 95 % interval lies below it
    too, and `minimum_rows` rows were explained."""

    threshold: float = THRESHOLD
    minimum_rows: int = 30
    compatible: bool = False

    @classmethod
    def of(cls, threshold: float, defaults: Defaults) -> "Judging":
        """With what holds for all checks; compatible where chance may make all findings."""
        return cls(threshold, defaults.minimum_sample_size, defaults.false_discovery_rate >= 1.0)


def matched(
    baseline: Mapping[str, LabelExplanation], labels: Sequence[str]
) -> dict[str, Mapping[str, float]]:
    """The baseline's values for each of `labels`: by name or, where names have nothing in common and there
    are as many, by place. Names are not assumed: a real file calls its only label by a number."""
    known = {name: label.global_shap_values for name, label in baseline.items()}
    if known.keys().isdisjoint(labels) and len(known) == len(labels):
        return dict(zip(labels, known.values(), strict=True))
    return {label: known[label] for label in labels if label in known}


def measure(
    baseline: Mapping[str, float],
    features: Sequence[str],
    found: Attributions,
    output: int,
    by: Aggregate,
    judging: Judging,
) -> RankingDrift:
    """Drift of one output. Features are matched by name: one that is not there now comes last, one that the
    baseline does not have is passed over."""
    place = {name: at for at, name in enumerate(features)}
    names = [*baseline]
    gains = np.array([baseline[name] for name in names], np.float64)
    if not found.n:
        return RankingDrift(None, judging.threshold, 0, error="no row was explained")
    current = _named(found.aggregate(by)[None, :, output], place, names)[0]
    value = float(ndcg(gains, current))
    if np.isnan(value):
        error = "no feature of the baseline has an attribution: there is no ranking to compare with"
        return RankingDrift(None, judging.threshold, found.n, moved=moves(names, gains, current), error=error)
    spread = ndcg(gains, _named(found.resampled(by, _RESAMPLES)[:, :, output], place, names))
    low, high = np.percentile(spread, [2.5, 97.5])
    interval = (min(float(low), value), max(float(high), value))
    return RankingDrift(value, judging.threshold, found.n, interval, moves(names, gains, current))


def _named(values: Array, place: Mapping[str, int], names: Sequence[str]) -> Array:
    """Columns of `values`, shape (rankings, features), by the baseline's names; zeros of one not there."""
    known = [name for name in names if name in place]
    found = np.zeros((len(values), len(names)))
    found[:, [at for at, name in enumerate(names) if name in place]] = values[:, [place[n] for n in known]]
    return found


def moves(names: Sequence[str], before: Array, now: Array) -> list[Move]:
    """Features whose share of all attributions changed, the largest change first; ties by name.

    >>> moves(["a", "b"], np.array([3.0, 1.0]), np.array([1.0, 1.0]))[0]
    Move(feature='a', baseline=0.75, current=0.5, baseline_rank=1, rank=1)
    """
    shares = [np.abs(values) / (np.abs(values).sum() or 1.0) for values in (before, now)]
    ranks = [np.argsort(np.argsort(-share, kind="stable"), kind="stable") + 1 for share in shares]
    order = sorted(range(len(names)), key=lambda at: (-abs(shares[1][at] - shares[0][at]), names[at]))
    return [
        Move(names[at], float(shares[0][at]), float(shares[1][at]), int(ranks[0][at]), int(ranks[1][at]))
        for at in order[:_MOVES]
        if shares[0][at] != shares[1][at]
    ]


def violation(label: str, drift: RankingDrift, judging: Judging) -> Violation | None:
    """The violation of one output, in Clarify's words, which say "exceeds" of a value that is below. Unless
    compatible, the features that moved most are said too."""
    if drift.ndcg is None or drift.ndcg >= drift.threshold:
        return None
    sure = drift.interval is not None and drift.interval[1] < drift.threshold
    if not judging.compatible and (not sure or drift.rows < judging.minimum_rows):
        return None
    said = f"Feature attribution drift {drift.ndcg!r} exceeds threshold {drift.threshold:g}"
    if not judging.compatible and drift.moved:
        said += ". Moved most: " + ", ".join(map(_said, drift.moved[:_SAID]))
    return Violation(
        label,
        CHECK,
        said,
        rows=drift.rows if drift.rows else UNSET,
        severity=severity.of_ratio(1 - drift.ndcg, 1 - drift.threshold),
        metric_name="shap",
        label=label,
    )


def _said(move: Move) -> str:
    ranks = f"rank {move.baseline_rank} to {move.rank}" if move.rank != move.baseline_rank else "same rank"
    return f"{move.feature} ({ranks}, {move.baseline:.1%} to {move.current:.1%} of all)"
