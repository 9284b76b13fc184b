"""A delivery stream as it was defined: where records come from, where they go, and in what state it is."""

from typing import Any, Literal

from msgspec import Struct

DestinationKind = Literal["ExtendedS3", "Amazonopensearchservice", "HttpEndpoint"]
Status = Literal["CREATING", "ACTIVE", "DELETING"]


class Encryption(Struct, frozen=True):
    """What was last asked of encryption at rest; it is so from `settled` (ms since the epoch) on.

    `calls` are the times of the calls that changed it within a day: there is a quota on them.
    """

    on: bool = False
    key_type: str | None = None
    key_arn: str | None = None
    settled: int = 0
    calls: tuple[int, ...] = ()

    def status(self, now: int) -> str:
        """As the API names it.

        >>> Encryption(on=True, settled=5).status(4), Encryption().status(0)
        ('ENABLING', 'DISABLED')
        """
        if now < self.settled:
            return "ENABLING" if self.on else "DISABLING"
        return "ENABLED" if self.on else "DISABLED"


class DeliveryStream(Struct, frozen=True):
    """`destination` has the members of the API's `<kind>DestinationConfiguration`, defaults filled in; it may
    hold secrets. `source` is the API's source configuration, if there is one. Times are ms since the epoch.
    """

    name: str
    arn: str
    type: Literal["DirectPut", "MSKAsSource"]
    kind: DestinationKind
    destination: dict[str, Any]
    created: int
    active_from: int
    version: int = 1
    source: dict[str, Any] | None = None
    tags: dict[str, str] = {}
    encryption: Encryption = Encryption()
    updated: int | None = None
    gone_from: int | None = None

    def status(self, now: int) -> Status:
        """What it is at `now`; a stream whose `gone_from` has passed is none any more."""
        if self.gone_from is not None:
            return "DELETING"
        return "ACTIVE" if now >= self.active_from else "CREATING"

    def gone(self, now: int) -> bool:
        """Whether it was deleted and is no more."""
        return self.gone_from is not None and now >= self.gone_from

    @property
    def account(self) -> str:
        """The account it belongs to."""
        return self.arn.split(":")[4]

    @property
    def region(self) -> str:
        """The region it belongs to."""
        return self.arn.split(":")[3]

    def processors(self) -> list[dict[str, Any]]:
        """What is done with records on the way, in the order given; empty when that is switched off."""
        processing = self.destination.get("ProcessingConfiguration", {})
        found: list[dict[str, Any]] = processing.get("Processors", []) if processing.get("Enabled") else []
        return found
