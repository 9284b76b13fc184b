"""The Firehose door and the deliveries behind it, as one part of the embedded service."""

from collections.abc import Callable, Mapping
from pathlib import Path

import pyarrow as pa

from schemas.delivery_stream import DeliveryStream
from schemas.records import Records
from stream.deliveries.channel import NO_LIMIT
from stream.deliveries.destination import Destination
from stream.deliveries.runner import Runner
from stream.deliveries.surroundings import Surroundings
from stream.ingest.door import Door, DoorThread
from stream.ingest.metrics import Metrics
from stream.ingest.queue import Queue
from stream.kafka_client import trust_options
from stream.kafka_feeds import KafkaFeeds
from stream.kafka_settings import KafkaSettings
from stream.metrics_server import EmbeddedMetrics, tell
from stream.page_server import PageServer
from stream.settings import FirehoseSettings

STATE = "firehose.sqlite"
_READ = 8 << 20  # bytes of records that are watched together


class Firehose:
    """Takes records in and delivers them. Records of a stream that is watched are delivered after they were
    read to be watched: neither must drop what the other still needs. Of `kafka` only how brokers are trusted
    is used; which they are is in `settings`.

    Raises StateError when its file is in use, ConfigError for settings that cannot be.
    """

    def __init__(
        self,
        settings: FirehoseSettings,
        output: Path,
        now: Callable[[], int],
        kafka: KafkaSettings | None = None,
    ) -> None:
        self._trust = trust_options(kafka or KafkaSettings()) if settings.kafka else {}
        self._queue = Queue(output / STATE, settings.max_waiting_bytes)
        self._watched: dict[str, int] = dict.fromkeys((*settings.watch, *settings.labels), 0)
        self.metrics = Metrics()
        try:
            self._runner = Runner(
                self._queue,
                lambda sleep: Surroundings.of(settings, output, sleep, now),
                self.metrics,
                lambda name: self._watched.get(name, NO_LIMIT),
            )
        except BaseException:
            self._queue.close()
            raise
        self._settings, self._output, self._now = settings, output, now
        self._parts: list[KafkaFeeds | PageServer | EmbeddedMetrics] = []
        self.metrics_port: int | None = None
        self.more = ""  # metrics of others, to be told with these
        self.door = Door(settings, self._queue, now, self.metrics, self._deliverable)
        self._thread = DoorThread(self.door)

    def _deliverable(self, stream: DeliveryStream) -> None:
        """What cannot be delivered is refused when it is asked for, not when records wait."""
        if stream.type == "MSKAsSource" and not self._settings.kafka:
            raise ValueError("no brokers are configured for Kafka topics: set firehose.kafka")
        Destination(stream, self._runner.around)

    def _streams(self) -> Mapping[str, DeliveryStream]:
        return self._queue.streams

    def _append(self, stream: str, records: list[bytes], arrived: int) -> None:
        self._thread.call(self._queue.append(stream, pa.array(records, pa.binary()), arrived))

    def start(self) -> None:
        """Open the door and begin to deliver. Raises ConfigError when an address cannot be had."""
        try:
            self._tell()
            self._thread.start()
        except BaseException:
            for part in self._parts:
                part.close()
            raise
        self._runner.start()
        if self._settings.kafka:
            feeds = KafkaFeeds(self._settings.kafka, self._streams, self._append, self._trust)
            self._parts.append(feeds)

    def _tell(self) -> None:
        """Begin to tell of metrics, as far as that is asked for."""
        told = tell(self._settings, self._output, self.metrics, self._now, lambda: self.more)
        self._parts += told
        self.metrics_port = next((part.port for part in told if isinstance(part, PageServer)), None)

    def stop(self) -> None:
        """Answer what is under way, and deliver no more."""
        for part in reversed(self._parts):
            part.close()
        self._thread.stop()
        self._runner.stop()

    def close(self) -> None:
        """Let go of the queue."""
        self._queue.close()

    def read(self, stream: str, after: int) -> Records:
        """Records of a stream that follow `after`, some of them."""
        return self._queue.read(stream, after, _READ)

    def watched(self, stream: str, until: int) -> None:
        """Records up to `until` need not be kept to be watched any more."""
        self._watched[stream] = until
