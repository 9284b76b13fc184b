"""Faust's consumer, with two of its ways changed that would lose messages of a worker."""

from typing import Any

import faust
from faust.transport.drivers.aiokafka import Consumer


class WorkerApp(faust.App):
    """An app that consumes with a WorkerConsumer."""

    def _new_transport(self) -> Any:
        transport: Any = super()._new_transport()
        transport.Consumer = WorkerConsumer
        return transport


class WorkerConsumer(Consumer):
    """Takes messages of partitions that are active, and hands on every message that is read."""

    logger = Consumer.logger

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._read_offset = _NothingRead()

    async def _getmany(self, active_partitions: Any, timeout: float) -> Any:
        only: Any = _Only(active_partitions)
        return await super()._getmany(only, timeout)


class _NothingRead(dict[Any, Any]):
    """What Faust notes of how far it has read, to drop what is older. It does so too late: what is to be read
    again after a rebalance or a seek would be dropped as well. Shards know better what they have."""

    def __getitem__(self, place: Any) -> None:
        return None


class _Only:
    """The partitions of a live set, and no others when there are none.

    To aiokafka an empty set means every partition. A fetch that waits while a rebalance pauses them all would
    take the beginnings of changelogs and give them to nobody, and a recovery that has not seen these never
    ends.
    """

    def __init__(self, partitions: Any) -> None:
        self._partitions = partitions

    def __contains__(self, partition: object) -> bool:
        return partition in self._partitions
