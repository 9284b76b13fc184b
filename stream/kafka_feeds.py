"""Runs a Kafka source for each delivery stream that has one, as streams come and go."""

import logging
from collections.abc import Callable, Mapping
from threading import Event, Thread
from typing import Any

from schemas.delivery_stream import DeliveryStream
from stream.ingest.intake import UnknownStream
from stream.kafka_source import Append, KafkaSource, connect, start_of

log = logging.getLogger(__name__)

_AGAIN = 5.0  # seconds until a source that failed is begun anew
_LOOK = 0.5  # seconds between two looks at which streams there are


class KafkaFeeds:
    """Reads topics from `servers` for the streams that `streams` gives now, by name, into `append`.

    `trust` is how brokers are trusted, in the words of kafka-python.

    A message that is larger than AWS takes (10 MB) is a record like the others here: it is not lost.
    """

    def __init__(
        self,
        servers: str,
        streams: Callable[[], Mapping[str, DeliveryStream]],
        append: Append,
        trust: Mapping[str, Any] | None = None,
    ) -> None:
        self._servers, self._streams, self._append, self._trust = servers, streams, append, trust or {}
        self._stop = Event()
        self._ends: dict[str, Event] = {}
        self._threads: list[Thread] = []
        self._watch = Thread(target=self._look_after, name="kafka-feeds", daemon=True)
        self._watch.start()

    def close(self) -> None:
        """Return when nothing is read any more."""
        self._stop.set()
        self._watch.join()
        for end in self._ends.values():
            end.set()
        for thread in self._threads:
            thread.join()

    def _look_after(self) -> None:
        while not self._stop.is_set():
            now = {f"{s.arn}@{s.created}": s for s in self._streams().values() if s.type == "MSKAsSource"}
            for identity, stream in now.items():
                if identity not in self._ends:
                    self._ends[identity] = Event()
                    self._threads.append(Thread(target=self._run, args=(identity, stream), daemon=True))
                    self._threads[-1].start()
            for identity, end in self._ends.items():
                if identity not in now:
                    end.set()
            self._stop.wait(_LOOK)

    def _run(self, identity: str, stream: DeliveryStream) -> None:
        given = stream.source or {}
        start = start_of(given, stream.active_from)
        source = KafkaSource(
            stream.name,
            given["TopicName"],
            start,
            lambda: connect(self._servers, f"streamgauge-{identity}", **self._trust),
            self._append,
            self._append,
        )
        end = self._ends[identity]
        while not end.is_set():
            try:
                source.run(end)
            except UnknownStream:
                log.info("stream of a topic is gone", extra={"stream": stream.name})
                return
            except Exception:
                log.exception("topic cannot be read", extra={"stream": stream.name})
                end.wait(_AGAIN)
