"""Samples of captures and labels, out of files and topics: some of the oldest and some of the newest."""

import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing

import msgspec
import pyarrow as pa
from kafka import KafkaConsumer, TopicPartition
from msgspec import Struct

from schemas.errors import TopicError
from schemas.frame import Frame, Subject
from stream import source
from stream.kafka_client import client_options
from stream.kafka_settings import KafkaSettings
from stream.log import Position
from stream.partition import read_message
from stream.sending.cutting import part, where
from stream.source import CaptureFile

_MESSAGES = 500  # of each end of a partition; each may hold one record
_POLL = 500  # ms


class Sample(Struct, frozen=True):
    """Some records of a place."""

    frames: Sequence[Frame]

    def __len__(self) -> int:
        return sum(map(len, self.frames))

    @property
    def records(self) -> pa.BinaryArray:
        """All of them in one."""
        return pa.concat_arrays([pa.array([], pa.binary()), *(frame.data for frame in self.frames)])

    def where(self, index: int) -> str:
        """Where record `index` was read."""
        for frame in self.frames:
            if index < len(frame):
                return where(frame, index)
            index -= len(frame)
        raise IndexError(index)


def of_files(files: Sequence[CaptureFile], most: int) -> Sample:
    """At most so many records of files in their order: half of them of the first, the others of the last.
    Raises SourceError."""
    oldest = list(_first(_records(files), most // 2))
    read = {frame.source for frame in oldest}
    left = [file for file in reversed(files) if file.path not in read]
    return Sample([*oldest, *_first(_records(left), most - most // 2)])


def _records(files: Iterable[CaptureFile]) -> Iterator[Frame]:
    for file in files:
        for chunk in source.read(file, Position(), 0):
            yield from chunk.frames


def _first(frames: Iterator[Frame], most: int) -> Iterator[Frame]:
    """The first records, so many; no more is read than is needed."""
    for frame in frames:
        if len(frame):
            yield part(frame, 0, most)
        most -= len(frame)
        if most <= 0:
            return


def of_topic(settings: KafkaSettings, topic: str, most: int, seconds: float) -> Sample:
    """About so many records of a topic, from both ends of its partitions; fewer where that takes longer than
    so many `seconds`. Raises KafkaError, OSError, ConfigError, TopicError."""
    end = time.monotonic() + seconds
    frames: list[Frame] = []
    options = {"allow_auto_create_topics": False, "bootstrap_timeout_ms": int(seconds * 1000)}
    with closing(KafkaConsumer(**client_options(settings), **options)) as consumer:
        places = [TopicPartition(topic, number) for number in consumer.partitions_for_topic(topic) or ()]
        if not places:
            raise TopicError("there is no such topic")
        first, last = consumer.beginning_offsets(places), consumer.end_offsets(places)
        consumer.assign(places)
        for newest in (False, True):
            begin, stop = {}, {}
            for place in places:
                middle = min(first[place] + _MESSAGES, last[place])
                begin[place] = max(middle, last[place] - _MESSAGES) if newest else first[place]
                stop[place] = last[place] if newest else middle
            frames += _read(consumer, begin, stop, most // 2, end)
    return Sample(frames)


def _read(
    consumer: KafkaConsumer,
    begin: dict[TopicPartition, int],
    stop: dict[TopicPartition, int],
    most: int,
    end: float,
) -> Iterator[Frame]:
    """Frames of messages from `begin` to `stop`, until there are so many records or it is too late."""
    for place, offset in begin.items():
        consumer.seek(place, offset)
    while most > 0 and time.monotonic() < end:
        if all(consumer.position(place) >= stop[place] for place in stop):
            return
        for place, messages in consumer.poll(timeout_ms=_POLL, max_records=_MESSAGES).items():
            for message in messages:
                if message.offset < stop[place] and message.value:
                    frame = read_message(message.value, Subject(), message.timestamp)
                    about = f"{place.topic}, partition {place.partition}, offset {message.offset}"
                    yield msgspec.structs.replace(frame, source=frame.source or about)
                    most -= len(frame)
