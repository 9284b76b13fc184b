"""A Kafka topic as the source of a delivery stream.

Offsets are committed after the queue has the messages, so a crash reads some again and loses none. Partitions
are assigned by hand: one process feeds a stream, and its queue may make it wait as long as it likes.

Tested against a fake consumer: where reading starts, how messages are handed on, that a commit comes after
them and only after them, busy queues, new partitions, reconnection, stopping. Tested with kafka-python 3.0
and a Kafka 4.1 broker: where reading starts (all, a time, what was committed), partitions that are added, a
broker that is stopped or killed while messages come: none is lost.

Sources: Data Firehose guide, Amazon MSK as a source (the value of a message is the record, its key and
headers are left out; records to 10 MB); botocore's service model of Firehose, ReadFromTimestamp.
"""

import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from typing import Any

import numpy as np
from kafka import KafkaConsumer, OffsetAndMetadata, TopicPartition
from kafka.errors import KafkaError

from schemas.errors import SinkBusy
from schemas.splitting import split
from schemas.times import now as wall_clock

log = logging.getLogger(__name__)

Append = Callable[[str, list[bytes], int], object]  # stream, records, arrival (ms); raises SinkBusy

MOST_RECORDS, MOST_BYTES = 500, 4 << 20  # handed over at once, as in a PutRecordBatch
LARGEST = 10_000_000  # bytes of a record
EARLIEST = 0

_POLL = 1000  # ms
_LOOK = 60_000  # ms until partitions that were added are seen
_BACKOFF = 5_000  # ms between two tries to reach a broker, at most


def start_of(source: Mapping[str, Any], active: int) -> int:
    """Where an MSKSourceConfiguration starts to read, ms since the epoch; without ReadFromTimestamp (seconds)
    it is when the stream became active.

    >>> start_of({"ReadFromTimestamp": 1.5}, 7000), start_of({}, 7000)
    (1500, 7000)
    """
    given = source.get("ReadFromTimestamp")
    return active if given is None else int(float(given) * 1000)


def connect(servers: str | Sequence[str], group: str, **more: Any) -> KafkaConsumer:
    """A consumer that keeps its offsets under `group`; `more` are settings of kafka-python, such as TLS.

    It does not make a topic that is not there, nor make again one that was deleted.
    """
    return KafkaConsumer(
        bootstrap_servers=servers,
        group_id=group,
        enable_auto_commit=False,
        auto_offset_reset="earliest",  # where Kafka deleted what was to be read next
        allow_auto_create_topics=False,
        metadata_max_age_ms=_LOOK,
        reconnect_backoff_max_ms=_BACKOFF,
        **more,
    )


class KafkaSource:
    """Reads `topic` from `start` (ms, EARLIEST for all of it) and appends to the queue of `stream`.

    `oversized` takes the messages that are too large for a record, which go to the error prefix. `connected`
    gives a new consumer, `pause` is the wait (seconds) before a busy queue or a lost broker is tried again.
    """

    def __init__(
        self,
        stream: str,
        topic: str,
        start: int,
        connected: Callable[[], Any],
        append: Append,
        oversized: Append,
        *,
        largest: int = LARGEST,
        pause: float = 5.0,
        now: Callable[[], int] = wall_clock,
    ) -> None:
        self._stream, self._topic, self._start = stream, topic, start
        self._connected, self._append, self._oversized = connected, append, oversized
        self._largest, self._pause, self._now = largest, pause, now

    def run(self, stop: threading.Event) -> None:
        """Read until `stop` is set."""
        while not stop.is_set():
            try:
                with closing(self._connected()) as consumer:
                    self.read(consumer, stop)
            except (KafkaError, OSError) as error:
                facts = {"stream": self._stream, "topic": self._topic, "reason": str(error)}
                log.warning("topic cannot be read, connecting again", extra=facts)
                stop.wait(self._pause)

    def read(self, consumer: Any, stop: threading.Event) -> None:
        """Read by one consumer until `stop` is set. Raises KafkaError."""
        assigned: set[int] = set()
        while not stop.is_set():
            partitions = set(consumer.partitions_for_topic(self._topic) or ())
            if partitions != assigned:
                self._assign(consumer, partitions)
                assigned = partitions
            if not assigned:
                stop.wait(self._pause)
                continue
            polled = consumer.poll(timeout_ms=_POLL)
            if polled and self._hand_on(polled, stop):
                consumer.commit({place: _behind(messages[-1]) for place, messages in polled.items()})

    def _assign(self, consumer: Any, partitions: set[int]) -> None:
        places = [TopicPartition(self._topic, number) for number in sorted(partitions)]
        consumer.assign(places)
        for place, offset in positions(consumer, places, self._start).items():
            consumer.seek(place, offset)

    def _hand_on(self, polled: Mapping[Any, Sequence[Any]], stop: threading.Event) -> bool:
        """Whether the queue has all messages: not, when the program is stopped while the queue is busy."""
        values = [message.value or b"" for messages in polled.values() for message in messages]
        fitting = [value for value in values if len(value) <= self._largest]
        large = [value for value in values if len(value) > self._largest]
        batches = [(self._append, fitting[run]) for run in _runs(fitting)]
        batches += [(self._oversized, large[run]) for run in _runs(large)]
        return all(self._persist(append, batch, stop) for append, batch in batches)

    def _persist(self, append: Append, batch: list[bytes], stop: threading.Event) -> bool:
        while True:
            try:
                append(self._stream, batch, self._now())
                return True
            except SinkBusy as error:
                log.warning(
                    "queue is busy, trying again", extra={"stream": self._stream, "reason": str(error)}
                )
                if stop.wait(self._pause):
                    return False


def positions(consumer: Any, places: Sequence[Any], start: int) -> dict[Any, int]:
    """The offset of each partition to read next: that committed, else the first at or after `start`."""
    known = {place: consumer.committed(place) for place in places}
    fresh = [place for place in places if known[place] is None]
    if fresh and start == EARLIEST:
        known |= consumer.beginning_offsets(fresh)
    elif fresh:
        # Asked first: a message that comes between the two questions is not passed over.
        ends = consumer.end_offsets(fresh)
        found = consumer.offsets_for_times({place: start for place in fresh})
        known |= {place: found[place].offset if found.get(place) else ends[place] for place in fresh}
    return known


def _runs(values: list[bytes]) -> list[slice]:
    sizes = np.array([len(value) for value in values], np.int64)
    return list(split((np.ones_like(sizes), MOST_RECORDS), (sizes, MOST_BYTES)))


def _behind(message: Any) -> OffsetAndMetadata:
    return OffsetAndMetadata(message.offset + 1, "", -1)
