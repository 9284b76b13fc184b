"""All metrics of bias by name: formula, Clarify's description, what each is divided by, and why it is
None."""

from collections.abc import Callable, Iterator, Mapping
from typing import Literal

from msgspec import Struct

from monitors.bias import post_training as post
from monitors.bias import pre_training as pre
from monitors.bias.cells import BASES, SIDES, Array, Cells

Formula = Callable[[Cells], Array]

LABEL, PREDICTION, BOTH = "row with a label", "row with a prediction", "row with a label and a prediction"


class Metric(Struct, frozen=True):
    """A metric. `bases` are keys of BASES: it is divided by them on each side.

    It is compared with the baseline on a `scale`: DI, a ratio, by its logarithm. `formula` is None of the
    flip test, which is not of counts.
    """

    name: str
    description: str
    formula: Formula | None
    bases: tuple[str, ...]
    scale: Literal["plain", "log"] = "plain"
    low: float = -1.0
    high: float = 1.0
    alike: str | None = None  # why it is not defined although nothing it is divided by is 0


_INF = float("inf")
_ONE_CLASS = "all {} are alike"
_NO_COMMON = "the two groups have no label in common"

_ALL = [
    Metric(
        "CDDL",
        "Conditional Demographic Disparity in Labels (CDDL)",
        pre.cddl,
        (LABEL,),
        alike=_ONE_CLASS.format("labels"),
    ),
    Metric("CI", "Class Imbalance (CI)", pre.ci, ("row",)),
    Metric("DPL", "Difference in Positive Proportions in Labels (DPL)", pre.dpl, (LABEL,)),
    Metric("JS", "Jensen-Shannon Divergence (JS)", pre.js, (LABEL,), low=0.0, alike=_NO_COMMON),
    Metric("KL", "Kullback-Liebler Divergence (KL)", pre.kl, (LABEL,), high=_INF, alike=_NO_COMMON),
    Metric("KS", "Kolmogorov-Smirnov Distance (KS)", pre.ks, (LABEL,), low=0.0, alike=_NO_COMMON),
    Metric("LP", "L-p Norm (LP)", pre.lp, (LABEL,), low=0.0, high=2**0.5, alike=_NO_COMMON),
    Metric("TVD", "Total Variation Distance (TVD)", pre.tvd, (LABEL,), low=0.0, alike=_NO_COMMON),
    Metric("AD", "Accuracy Difference (AD)", post.ad, (BOTH,)),
    Metric(
        "CDDPL",
        "Conditional Demographic Disparity in Predicted Labels (CDDPL)",
        post.cddpl,
        (PREDICTION,),
        alike=_ONE_CLASS.format("predictions"),
    ),
    Metric("DAR", "Difference in Acceptance Rates (DAR)", post.dar, (BOTH, "positive prediction")),
    Metric(
        "DCA",
        "Difference in Conditional Acceptance (DCA)",
        post.dca,
        (BOTH, "positive prediction"),
        low=-_INF,
        high=_INF,
    ),
    Metric(
        "DCR",
        "Difference in Conditional Rejection (DCR)",
        post.dcr,
        (BOTH, "negative prediction"),
        low=-_INF,
        high=_INF,
    ),
    Metric(
        "DI",
        "Disparate Impact (DI)",
        post.di,
        (PREDICTION,),
        "log",
        low=0.0,
        high=_INF,
        alike="no row of either group is predicted positive",
    ),
    Metric(
        "DPPL",
        "Difference in Positive Proportions in Predicted Labels (DPPL)",
        post.dppl,
        (PREDICTION,),
    ),
    Metric("DRR", "Difference in Rejection Rates (DRR)", post.drr, (BOTH, "negative prediction")),
    Metric("FT", "Flip Test (FT)", None, (PREDICTION,)),
    Metric(
        "GE",
        "Generalized Entropy (GE)",
        post.ge,
        (),
        low=0.0,
        high=_INF,
        alike="no row has a label and a prediction other than a false negative",
    ),
    Metric("RD", "Recall Difference (RD)", post.rd, (BOTH, "positive label")),
    Metric("SD", "Specificity Difference (SD)", post.sd, (BOTH, "negative label")),
    Metric("TE", "Treatment Equality (TE)", post.te, (BOTH, "false positive"), low=-_INF, high=_INF),
]

METRICS: Mapping[str, Metric] = {metric.name: metric for metric in _ALL}


def reason(metric: Metric, cells: Cells) -> str:
    """Why a metric of these cells is not defined, Clarify's words where it has some."""
    if metric.name in ("CDDL", "CDDPL") and isinstance(cells.groups, str):
        return cells.groups
    for base, side, n in _bases(("row", *metric.bases), cells):
        if not n and (metric.bases or base != "row"):
            return f"facet {side} has no {base}"
    return metric.alike or "it is not defined"


def smallest_base(metric: Metric, cells: Cells) -> int:
    """The smallest number that the metric is divided by, of either side; of GE the rows of both."""
    counts = [int(n) for _, _, n in _bases(metric.bases, cells)]
    return min(counts, default=int(cells.whole[..., :2, :2].sum()))


def _bases(names: tuple[str, ...], cells: Cells) -> Iterator[tuple[str, str, float]]:
    for base in names:
        for side, called in SIDES.items():
            yield base, called, float(BASES[base](cells, side))
