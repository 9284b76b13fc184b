"""What is said of one window: counts, violations, and the documents that go beside the report."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import msgspec
from msgspec import UNSET, Struct, UnsetType

from schemas.frame import Subject
from schemas.times import format_time

Status = Literal["Completed", "CompletedWithViolations", "NoData"]
Severity = Literal["low", "medium", "high"]


class Window(Struct, frozen=True, order=True):
    """Half-open span [start, end) of event time, in milliseconds since the epoch."""

    start: int
    end: int

    @classmethod
    def holding(cls, when: int, size: int) -> "Window":
        """The tumbling window of `size` ms that holds `when`; windows are aligned to the epoch, in UTC.

        >>> Window.holding(7_200_000, 3_600_000) == Window(7_200_000, 10_800_000)
        True
        """
        start = when // size * size
        return cls(start, start + size)


class Counts(Struct, frozen=True):
    """What became of the records of a window: `records` came, of which `bad` could not be read, `late` came
    after the window was final and `filtered` were left out on purpose; the others gave `rows`."""

    records: int = 0
    rows: int = 0
    bad: int = 0
    late: int = 0
    filtered: int = 0

    def merge(self, other: "Counts") -> "Counts":
        """Counts of two disjoint sets of records."""
        return Counts(
            self.records + other.records,
            self.rows + other.rows,
            self.bad + other.bad,
            self.late + other.late,
            self.filtered + other.filtered,
        )


class Coverage(Struct, frozen=True):
    """How many of a window's predictions have a label: `matched` with theirs, `waiting` for it, and `expired`
    without, because it came too late or not at all."""

    matched: int = 0
    waiting: int = 0
    expired: int = 0

    def merge(self, other: "Coverage") -> "Coverage":
        """Coverage of two disjoint sets of predictions."""
        return Coverage(
            self.matched + other.matched, self.waiting + other.waiting, self.expired + other.expired
        )


class Violation(Struct, frozen=True):
    """A constraint that did not hold, in Model Monitor's keys and words; what follows those is left out where
    it is not known.

    It rests on `rows` rows or values, of which `affected` break the rule. `first_seen` is the start of the
    first window of an unbroken run of windows with this violation. The ids are of a few records that show it.
    `segment` says for which rows it holds, where it was not all.

    `facet`, `facet_value`, `metric_name` and `label` are keys of Clarify's violations of bias and of
    attributions, which have no feature_name. Of a model's quality there is a `metric_name`, which is its
    feature name too; an `estimate` was made before labels came.
    """

    feature_name: str
    constraint_check_type: str
    description: str
    rows: int | UnsetType = UNSET
    affected: int | UnsetType = UNSET
    severity: Severity | UnsetType = UNSET
    first_seen: str | UnsetType = UNSET
    sample_event_ids: Sequence[str] | UnsetType = UNSET
    segment: Mapping[str, str] | UnsetType = UNSET
    facet: str | UnsetType = UNSET
    facet_value: str | UnsetType = UNSET
    metric_name: str | UnsetType = UNSET
    estimate: bool | UnsetType = UNSET
    label: str | UnsetType = UNSET

    @property
    def what(self) -> tuple[str, str, tuple[tuple[str, str], ...]]:
        """The same in two windows where the same thing is wrong."""
        segment = () if self.segment is UNSET else tuple(sorted(self.segment.items()))
        if self.facet is not UNSET:  # the text of an interval holds the largest number of the window
            value = str(self.facet_value).partition(", ")[0]
            segment = (*segment, ("facet_value", value), ("metric_name", str(self.metric_name)))
        return self.feature_name, self.constraint_check_type, segment


class Drift(Struct, frozen=True):
    """How far a feature has moved from its baseline, and the two distributions over common bins.

    Numeric: `bins` are the baseline's 11 bucket edges, and there are 12 shares, the first below and the
    last above them. Categorical: `bins` are values, and there is one share a value.
    `distance` is None where nothing could be compared.

    `effect` is the size of the change by a measure that knows no sample sizes, in [0, 1]. `p_value` is how
    likely chance gives such a change, `q_value` the same for all tests of the window together. Where there
    are too few values (`rows` in the window) to tell, `enough` is false and there is no q-value.
    """

    feature_name: str
    kind: Literal["numeric", "categorical"]
    distance: float | None
    threshold: float
    method: str
    bins: Sequence[float | str]
    baseline: list[float]
    current: list[float]
    effect: float | None = None
    p_value: float | None = None
    q_value: float | None = None
    rows: int = 0
    enough: bool = True


VIOLATIONS = "constraint_violations.json"


def violations_document(violations: Sequence[Violation]) -> dict[str, Any]:
    """The content of constraint_violations.json; Clarify's has a version, Model Monitor's has none. A model's
    metric is named there, and is no feature.

    >>> violations_document([Violation("f2", "LessThanThreshold", "why", metric_name="f2")])["violations"][0]
    {'constraint_check_type': 'LessThanThreshold', 'description': 'why', 'metric_name': 'f2'}
    """
    if any(violation.facet is not UNSET for violation in violations):
        return {"version": "1.0", "violations": violations}
    return {"violations": [v if v.metric_name is UNSET else _without_feature(v) for v in violations]}


def _without_feature(violation: Violation) -> dict[str, Any]:
    found: dict[str, Any] = msgspec.to_builtins(violation)
    return {key: value for key, value in found.items() if key != "feature_name"}


class Finding(Struct, frozen=True):
    """What a monitor says of a window's state: violations, distances, and its own documents by file name.

    `incomplete` says why a part of the window could not be looked at; `blind` that it was all of it.
    """

    violations: list[Violation]
    drift: list[Drift]
    documents: Mapping[str, Any]
    incomplete: str = ""
    blind: bool = False

    def with_violations(self, violations: list[Violation]) -> "Finding":
        """The same with `violations` instead, in the document that lists them too."""
        documents = dict(self.documents)
        if VIOLATIONS in documents:
            documents[VIOLATIONS] = {**documents[VIOLATIONS], **violations_document(violations)}
        return msgspec.structs.replace(self, violations=violations, documents=documents)


class Report(Struct, frozen=True):
    """One monitor's word on one window. A later `revision` replaces an earlier one."""

    subject: Subject
    monitor: str
    window: Window
    revision: int
    counts: Counts
    finding: Finding
    labels: Coverage | None = None

    @property
    def status(self) -> Status:
        """NoData where no record came that could be read and was in time, or the monitor was blind."""
        if self.finding.violations:
            return "CompletedWithViolations"
        return "Completed" if self.counts.rows and not self.finding.blind else "NoData"

    def summary(self) -> dict[str, Any]:
        """The content of report.json; `labels` where it is about a model's quality."""
        labels = {} if self.labels is None else {"labels": msgspec.to_builtins(self.labels)}
        return {
            "status": self.status,
            "subject": msgspec.to_builtins(self.subject),
            "monitor": self.monitor,
            "window": {"start": format_time(self.window.start), "end": format_time(self.window.end)},
            "revision": self.revision,
            "counts": msgspec.to_builtins(self.counts),
            **labels,
            **({"incomplete": self.finding.incomplete} if self.finding.incomplete else {}),
            "violations": msgspec.to_builtins(self.finding.violations),
            "drift": msgspec.to_builtins(self.finding.drift),
        }
