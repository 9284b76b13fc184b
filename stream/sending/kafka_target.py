"""A topic as what takes captures in. Each message is a frame, or one raw record.

The producer is idempotent: what a broker that went away had stored and not answered is not stored twice.
Source: documentation of kafka-python 3 (KafkaProducer: idempotence, delivery_timeout_ms).
"""

import logging
import time
from collections import deque
from collections.abc import Iterable, Iterator
from typing import Any, Self

from kafka import KafkaProducer
from kafka.admin import ConfigResource, ConfigResourceType
from kafka.errors import KafkaError

from schemas.errors import BrokerError, TopicError
from schemas.frame import MAX_FRAME_BYTES, Frame, Subject, encode
from schemas.times import END_OF_TIME
from stream.kafka_client import admin_client, client_options
from stream.kafka_settings import KafkaSettings
from stream.sending.cutting import part, where
from stream.sending.target import Stopped, Told

log = logging.getLogger(__name__)

_LINGER = 20  # ms that messages wait for others
_UNANSWERED_BYTES, _UNANSWERED = 32 << 20, 20_000  # messages sent before any is waited for
_ENVELOPE = 256  # bytes that a broker counts beside a message's value, at most
_DEFAULT_LIMIT = 1_048_588  # of a broker, in bytes
_LOOK = 0.2  # seconds between two looks at whether to stop
_SILENCE = 5.0  # seconds without an answer until that is said


class KafkaTarget:
    """Sends frame i to partition i modulo their number, or record i where records are sent raw.

    `limit` is the largest message that the topic takes. Records that do not fit are left out and counted.
    """

    def __init__(self, producer: Any, topic: str, *, raw: bool = False, limit: int = _DEFAULT_LIMIT) -> None:
        self.told = Told()
        self._producer, self._topic, self._raw = producer, topic, raw
        self._limit = limit - _ENVELOPE
        self._partitions = self._known_partitions()
        self._next = 0
        self._pending: deque[tuple[Any, int, int]] = deque()  # future, records, bytes
        self._unanswered = 0  # bytes
        self._heard, self._said = (
            time.monotonic(),
            False,
        )  # when a broker last answered; whether that was said

    @classmethod
    def open(cls, settings: KafkaSettings, topic: str, timeout: float, *, raw: bool = False) -> Self:
        """Connect to brokers; `timeout` is how long (seconds) one that goes away is waited for.

        Raises BrokerError when none answers, TopicError when there is no such topic, ConfigError.
        """
        limit = _limit(settings, topic)
        milliseconds = max(int(timeout * 1000), 100)
        producer = KafkaProducer(
            **client_options(settings),
            acks="all",
            enable_idempotence=True,
            allow_auto_create_topics=False,
            linger_ms=_LINGER,
            batch_size=min(MAX_FRAME_BYTES, limit - _ENVELOPE),
            max_request_size=max(16 << 20, limit),  # which only the broker's limit bounds
            delivery_timeout_ms=milliseconds,
            request_timeout_ms=min(10_000, max(milliseconds - _LINGER, 50)),
            max_block_ms=milliseconds,
            reconnect_backoff_max_ms=1_000,
        )
        try:
            return cls(producer, topic, raw=raw, limit=limit)
        except BaseException:
            producer.close(timeout=0)
            raise

    def send(self, frame: Frame, stopped: Stopped) -> None:
        """Hand the frame to the producer, and wait where much is unanswered. Raises BrokerError."""
        for message, records in self._messages(frame):
            self._put(message, records, self._partitions[self._next % len(self._partitions)])
            self._next += 1
        self._settle()
        while self._unanswered > _UNANSWERED_BYTES or len(self._pending) > _UNANSWERED:
            if stopped():
                return
            self._wait()

    def complete(self, subjects: Iterable[Subject]) -> None:
        """Say in every partition that nothing more comes of `subjects`."""
        for subject in subjects:
            message = encode(Frame.completion(subject, END_OF_TIME))
            for partition in self._known_partitions():
                self._put(message, 0, partition)

    def finish(self, stopped: Stopped) -> None:
        """Wait until every message is answered. Raises BrokerError."""
        while self._pending and not stopped():
            self._wait()

    def close(self, seconds: float) -> None:
        """Wait so long for answers, count them, and close the producer."""
        end = time.monotonic() + seconds
        try:
            self.finish(lambda: time.monotonic() >= end)
        finally:
            self._producer.close(timeout=max(end - time.monotonic(), 0))

    def _messages(self, frame: Frame) -> Iterator[tuple[bytes, int]]:
        """The frame as messages that the topic takes, each with the number of its records."""
        if self._raw:
            for index, record in enumerate(frame.data.to_pylist()):
                if self._fits(len(record), frame, index):
                    yield record.replace(b"\n", b" "), 1  # a line feed would make it two
            return
        message = encode(frame)
        if len(message) > self._limit and len(frame) > 1:
            middle = len(frame) // 2
            yield from self._messages(part(frame, 0, middle))
            yield from self._messages(part(frame, middle, len(frame)))
        elif self._fits(len(message), frame, 0):
            yield message, len(frame)

    def _fits(self, size: int, frame: Frame, index: int) -> bool:
        if size <= self._limit:
            return True
        self.told.refuse(f"{where(frame, index)}: {size:,} bytes; the topic takes {self._limit:,}")
        return False

    def _put(self, message: bytes, records: int, partition: int) -> None:
        try:
            future = self._producer.send(self._topic, message, partition=partition)
        except (KafkaError, ValueError) as error:
            raise BrokerError(f"{self._topic}: {error}") from error
        self._pending.append((future, records, len(message)))
        self._unanswered += len(message)

    def _settle(self) -> None:
        """Take what is answered off the list, up to the first that is not. Raises BrokerError."""
        while self._pending and self._pending[0][0].is_done:
            future, records, size = self._pending.popleft()
            self._unanswered -= size
            if future.failed():
                raise BrokerError(f"{self._topic}: {future.exception}")
            self.told.acknowledged += records
            self.told.messages += 1
            self.told.nbytes += size
            self._heard, self._said = time.monotonic(), False

    def _wait(self) -> None:
        """Wait a little for the oldest message that is not answered. Raises BrokerError."""
        try:
            self._pending[0][0].get(timeout=_LOOK)
        except KafkaError:  # not yet, or it failed
            pass
        self._settle()
        if not self._said and time.monotonic() - self._heard > _SILENCE:
            log.warning("no broker answers, trying again", extra={"topic": self._topic})
            self._said = True

    def _known_partitions(self) -> list[int]:
        try:
            return sorted(self._producer.partitions_for(self._topic) or ())
        except KafkaError as error:
            raise BrokerError(f"{self._topic}: {error}") from error


def _limit(settings: KafkaSettings, topic: str) -> int:
    """Bytes of the largest message of `topic`. Raises TopicError when it is not there, BrokerError."""
    resource = ConfigResource(ConfigResourceType.TOPIC, topic)
    with admin_client(settings) as admin:
        try:
            if topic not in admin.list_topics():
                raise TopicError(f"{topic}: no such topic; `streamgauge topics` makes those of workers")
            config = admin.describe_configs([resource], config_filter="all")["topic"].get(topic, {})
        except (KafkaError, OSError) as error:
            raise BrokerError(f"{topic}: {error}") from error
    return int(config["max.message.bytes"]["value"]) if "max.message.bytes" in config else _DEFAULT_LIMIT
