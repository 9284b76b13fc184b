"""The Firehose door in front of Kafka, as a process of its own."""

import asyncio
import logging
import signal
import time
from collections.abc import Callable

from schemas.delivery_stream import DeliveryStream
from schemas.times import now as wall_clock
from stream.deliveries.destination import Destination
from stream.deliveries.surroundings import Surroundings
from stream.distributed.keeper import KafkaKeeper
from stream.ingest.door import Door
from stream.ingest.metrics import Metrics
from stream.metrics_server import tell
from stream.settings import FirehoseSettings, Settings

log = logging.getLogger(__name__)


class Ingest:
    """Serves until it is told to stop. Raises ConfigError, BrokerError, TopicError."""

    def __init__(self, settings: Settings, now: Callable[[], int] = wall_clock) -> None:
        self._settings, self._now = settings, now
        self._firehose = settings.firehose or FirehoseSettings()
        self._around = Surroundings.of(self._firehose, settings.output, time.sleep, now)
        self.metrics = Metrics()

    def _deliverable(self, stream: DeliveryStream) -> None:
        if stream.type == "MSKAsSource":
            raise ValueError("a Kafka topic is the source of a stream in `streamgauge serve` only")
        Destination(stream, self._around)

    async def run(self) -> None:
        """Serve until SIGINT or SIGTERM comes, or definitions cannot be followed any more."""
        stop = asyncio.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        keeper = KafkaKeeper(self._settings.kafka, self._firehose)
        await keeper.start()
        try:
            await self._serve(keeper, stop)
        finally:
            await keeper.stop()

    async def _serve(self, keeper: KafkaKeeper, stop: asyncio.Event) -> None:
        door = Door(self._firehose, keeper, self._now, self.metrics, self._deliverable)
        parts = tell(self._firehose, self._settings.output, self.metrics, self._now)
        stopping = asyncio.create_task(stop.wait())
        vital = (keeper.definitions.following, keeper.intake.sending)
        try:
            await door.start()
            await asyncio.wait([stopping, *vital], return_when=asyncio.FIRST_COMPLETED)
        finally:
            stopping.cancel()
            await door.stop()
            for part in parts:
                part.close()
        for task in vital:
            if task.done():
                task.result()  # raises what ended it
