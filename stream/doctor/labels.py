"""Labels: are there any, can they be read, do they name captures; of large places samples are looked at."""

from collections.abc import Iterator, Sequence
from functools import partial

import numpy as np
from kafka.errors import KafkaError
from msgspec import Struct

from schemas import capture, ground_truth
from schemas.capture import CaptureRecord
from schemas.errors import BadBaseline, ConfigError, PipelineError, SourceError
from schemas.frame import Subject
from stream import source
from stream.doctor.finding import PATIENCE, Finding, Level, within
from stream.doctor.samples import Sample, of_files, of_topic
from stream.kafka_settings import KafkaSettings
from stream.settings import Settings
from stream.setup import Setups

_LABELS, _CAPTURES = 10_000, 50_000  # records of a sample
_RULE = "a label's id is the inference id of its capture or, where that has none, its event id"


class _Known(Struct):
    """Ids that labels may name, of some captures; `events` are event ids that an inference id hides."""

    ids: set[str]
    events: set[str]

    @classmethod
    def of(cls, captures: Sequence[CaptureRecord | None]) -> "_Known":
        about = [record.event_metadata for record in captures if record is not None]
        return cls(
            {each.inference_id or each.event_id for each in about},
            {each.event_id for each in about if each.inference_id and each.inference_id != each.event_id},
        )


def check_labels(settings: Settings) -> Iterator[Finding]:
    """Ground truth in files, and in the topic that workers join."""
    if not settings.workers_join:
        yield Finding("ok", "labels", "none are to come")
        return
    attributes = _attributes(settings)
    if settings.labels.places:
        yield from _check_places(settings, attributes)
    if "kafka" in settings.model_fields_set:
        yield from _check_topic(settings.kafka, attributes)


def _attributes(settings: Settings) -> list[str]:
    """What labels are called in ground truth; what is wrong with baselines is said where they are checked."""
    try:
        setups = Setups(settings)
        subjects = [
            Subject(""),
            *map(Subject, settings.endpoints),
        ]  # the first is nobody's: what holds for all
        joined = [setup for subject in subjects if (setup := setups.quality(subject))]
        return sorted({each.ground_truth_attribute for each in joined if each.ground_truth_attribute})
    except (BadBaseline, ConfigError):
        named = [settings.quality, *(own.quality for own in settings.endpoints.values())]
        return [each.ground_truth_attribute for each in named if each and each.ground_truth_attribute]


def _check_places(settings: Settings, attributes: list[str]) -> Iterator[Finding]:
    labels = Sample([])
    for place in settings.labels.places:
        try:
            files = source.find_labels([place])
            found = within(partial(of_files, files, _LABELS))
        except (PipelineError, TimeoutError) as error:
            yield Finding("fail", "labels", _with_place(place, error))
            continue
        if not files:
            endings = ", ".join(f"*{ending}" for ending in source.LABEL_ENDINGS)
            yield Finding("warn", "labels", f"{place}: no files of labels yet ({endings}, each also .gz)")
            continue
        yield judge_payloads(place, found, attributes)
        labels = Sample([*labels.frames, *found.frames])
    if not settings.source.captures or not len(labels):
        return
    try:
        captures = within(lambda: _captures(settings))
    except (SourceError, TimeoutError) as error:
        yield Finding("warn", "ids of labels in files", f"not compared with captures: {error}")
    else:
        yield judge_ids("files", labels, captures)


def _with_place(place: str, error: Exception) -> str:
    return str(error) if str(error).startswith(place) else f"{place}: {error}"


def _captures(settings: Settings) -> Sample:
    return of_files(source.find(settings.source.captures, settings.source.subject), _CAPTURES)


def _check_topic(settings: KafkaSettings, attributes: list[str]) -> Iterator[Finding]:
    """What lies in topics; that they are missing is said where topics are checked."""
    topics = (settings.labels_topic, _LABELS), (settings.captures_topic, _CAPTURES)
    patience = PATIENCE * 0.4
    try:
        labels, captures = within(lambda: [of_topic(settings, *each, patience) for each in topics])
    except (KafkaError, OSError, PipelineError) as error:
        yield Finding("warn", "labels", f"topic {settings.labels_topic}: not looked at: {error}")
        return
    what = f"topic {settings.labels_topic}"
    if not len(labels):
        yield Finding("ok", "labels", f"{what}: holds none yet")
        return
    yield judge_payloads(what, labels, attributes)
    yield judge_ids("topics", labels, captures)


def judge_payloads(place: str, labels: Sample, attributes: Sequence[str]) -> Finding:
    """Whether what lies at a place are labels that can be read."""
    records = labels.records
    if not len(records):
        return Finding("warn", "labels", f"{place}: its files hold no records")
    found = ground_truth.read(records)
    unreadable = found.record[np.asarray(ground_truth.values(found.text, attributes).is_null())].tolist()
    bad = sorted([*found.bad, *unreadable])
    if not bad:
        return Finding("ok", "labels", f"{place}: {len(records):,} looked at")
    first = bad[0]
    why = found.bad.get(first) or (
        "the label cannot be told from its payload; quality.ground_truth_attribute names it in an object"
    )
    said = f"{place}: {len(bad):,} of {len(records):,} are no labels that can be read"
    level: Level = "fail" if len(bad) == len(records) else "warn"
    return Finding(level, "labels", f"{said}, such as {labels.where(first)}: {why}")


def judge_ids(where: str, labels: Sample, captures: Sample) -> Finding:
    """Whether ids of labels are ids of captures. With other ids nothing is ever joined, and nothing fails."""
    what = f"ids of labels in {where}"
    ids = set(ground_truth.read(labels.records).id.to_pylist()) if len(labels) else set()
    known = _Known.of(capture.parse_many(captures.records)[0])
    if not ids or not known.ids:
        missing = "labels" if not ids else "captures"
        return Finding("ok", what, f"not compared: there are no {missing} that can be read")
    matched, by_event = len(ids & known.ids), len(ids & known.events)
    if by_event > matched:
        why = "they are event ids of captures that have an inference id"
        return Finding("warn", what, f"{by_event:,} of {len(ids):,} join nothing: {why}; {_RULE}")
    if matched:
        return Finding("ok", what, f"{matched:,} of {len(ids):,} are among {len(known.ids):,} captures")
    alike = {_plain(id_) for id_ in ids} & {_plain(id_) for id_ in known.ids}
    why = "they differ in case, spaces or quotes" if alike else _RULE
    example = f"a label is of {min(ids)!r}, a capture is {min(known.ids)!r}"
    found = f"none of {len(ids):,} is among {len(known.ids):,} captures: {example}; {why}"
    return Finding("warn", what, found)


def _plain(id_: str) -> str:
    return id_.strip(" \t'\"").casefold()
