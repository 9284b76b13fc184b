"""Errors as the API tells them: a name, a status and a sentence."""

from collections.abc import Mapping

import msgspec

from schemas.errors import PipelineError

_STATUS = {
    "ServiceUnavailableException": 500,  # clients retry it only as a 5xx, and the service does not use 503
    "InternalFailure": 500,
    "RequestEntityTooLargeException": 413,
    "RequestTimeoutException": 408,
}


class Fault(PipelineError):
    """What a call is answered with when it fails; `more` are further members of the body."""

    def __init__(
        self, name: str, message: str, status: int = 0, more: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(message)
        self.name = name
        self.status = status or _STATUS.get(name, 400)
        self.more = more or {}

    def body(self) -> bytes:
        """The error as clients read it. They take its name from here alone, not from a header.

        >>> Fault("ResourceNotFoundException", "no such stream").body()
        b'{"__type":"ResourceNotFoundException","message":"no such stream"}'
        """
        return msgspec.json.encode({"__type": self.name, "message": str(self), **self.more})


def invalid(message: str) -> Fault:
    """A rule is broken that is about meaning, not about the shape of the request."""
    return Fault("InvalidArgumentException", message)


def misfit(message: str) -> Fault:
    """The shape of the request is broken: a length, a range, a pattern, a member that is missing."""
    return Fault("ValidationException", message)


def unreadable(message: str) -> Fault:
    """The body is not the JSON that the operation reads."""
    return Fault("SerializationException", message)


def in_use(message: str) -> Fault:
    """The stream is in a state that does not allow this, or its name is taken."""
    return Fault("ResourceInUseException", message)


def not_found(name: str, account: str) -> Fault:
    """No such stream, or none that takes records now."""
    return Fault("ResourceNotFoundException", f"Firehose {name} under account {account} not found.")


def too_many(message: str) -> Fault:
    """A quota of the account or the stream is used up."""
    return Fault("LimitExceededException", message)


def slow_down() -> Fault:
    """More came than the stream takes; a client is to try again later."""
    return Fault("ServiceUnavailableException", "Slow down.")
