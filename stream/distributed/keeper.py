"""What a door in front of Kafka is opened on."""

from collections.abc import Mapping

import pyarrow as pa

from schemas.delivery_stream import DeliveryStream
from stream.distributed.definitions import KafkaDefinitions
from stream.distributed.intake import KafkaIntake
from stream.kafka_settings import KafkaSettings
from stream.settings import FirehoseSettings


class KafkaKeeper:
    """Records and definitions in Kafka's topics; see Keeper. Raises what its parts raise."""

    def __init__(self, kafka: KafkaSettings, firehose: FirehoseSettings) -> None:
        self.definitions = KafkaDefinitions(kafka, kafka.patience.total_seconds())
        self.intake = KafkaIntake(
            kafka,
            firehose.watch,
            lambda: self.definitions.streams,
            firehose.max_waiting_bytes,
            labels=firehose.labels,
        )

    @property
    def streams(self) -> Mapping[str, DeliveryStream]:
        return self.definitions.streams

    async def start(self) -> None:
        """Return when everything is known and records can be taken."""
        await self.definitions.start()
        try:
            await self.intake.start()
        except BaseException:
            await self.definitions.stop()
            raise

    async def stop(self) -> None:
        """Send what waits, and let go of the brokers."""
        await self.intake.stop()
        await self.definitions.stop()

    async def append(self, stream: str, records: pa.BinaryArray, arrived: int) -> int:
        return await self.intake.append(stream, records, arrived)

    async def refresh(self) -> None:
        await self.definitions.refresh()

    async def define(self, stream: DeliveryStream) -> None:
        await self.definitions.define(stream)

    async def drop(self, stream: str) -> None:
        await self.definitions.drop(stream)
