"""Records that could not be used, kept with the reason and with where they came from."""

import base64
from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec import Struct

from schemas.frame import Subject
from schemas.times import format_time
from sinks.objects import Objects, range_name


class DeadLetter(Struct, frozen=True):
    """One record kept aside. `code` is a short reason to count by, `reason` is for a person."""

    code: str
    reason: str
    subject: Subject
    partition: int
    offset: int
    source: str
    line: int
    arrived: int
    event_time: int
    record: bytes

    def row(self) -> dict[str, Any]:
        """As it is written: text as text, anything else in base64, so that the record can be put back."""
        try:
            record = {"record": self.record.decode()}
        except UnicodeDecodeError:
            record = {"record_base64": base64.b64encode(self.record).decode()}
        return {
            "code": self.code,
            "reason": self.reason,
            "subject": msgspec.to_builtins(self.subject),
            "source": self.source,
            "line": self.line,
            "partition": self.partition,
            "offset": self.offset,
            "arrived": format_time(self.arrived),
            "event_time": format_time(self.event_time),
            **record,
        }


def write(
    objects: Objects, letters: Sequence[DeadLetter], partition: int, first_offset: int, log: str = ""
) -> None:
    """Write `letters` as one JSON Lines object, named by the range of the `log` that they came in."""
    if letters:
        body = b"".join(msgspec.json.encode(letter.row()) + b"\n" for letter in letters)
        objects.put(f"{range_name(log, partition, first_offset)}.jsonl", body)
