"""What a destination did not take."""

from msgspec import Struct


class Refused(Struct, frozen=True):
    """The error code and message of what is not taken. `final`: it never will be."""

    code: str
    message: str
    final: bool = False
