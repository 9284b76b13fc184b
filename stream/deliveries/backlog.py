"""What delivery needs of the place where records wait."""

from collections.abc import Mapping
from typing import Protocol

from schemas.delivery_stream import DeliveryStream
from schemas.records import Records


class Backlog(Protocol):
    """Records that were acknowledged and not delivered yet, by stream, and how far each was delivered.

    Any thread may call. Sequence numbers ascend along a stream, with gaps, and never repeat.
    """

    @property
    def streams(self) -> Mapping[str, DeliveryStream]:
        """The streams that may be delivered now, by name."""
        ...

    def read(self, stream: str, after: int, limit_bytes: int) -> Records:
        """The records that follow `after`: about `limit_bytes` of them; none where nothing waits."""
        ...

    def covered(self, stream: str) -> int:
        """The last sequence number that was delivered; below that of any record before the first."""
        ...

    def intent(self, stream: str) -> bytes | None:
        """What a delivery that may have begun was going to do."""
        ...

    def intend(self, stream: str, document: bytes) -> None:
        """Remember what the next delivery does, before it begins. Raises SinkBusy."""
        ...

    def commit(self, stream: str, covered: int) -> None:
        """Remember that everything up to `covered` was delivered, drop it, and forget the intention, all at
        once. Raises SinkBusy: nothing has changed, and it may be tried again."""
        ...
