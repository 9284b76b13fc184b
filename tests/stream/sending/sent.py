"""Capture files to send, and stand-ins for time and for what takes them in."""

from pathlib import Path

import msgspec
import pyarrow as pa

from made import T0, capture
from schemas.frame import Frame, Subject
from stream.sending.target import Told

SUBJECT = Subject("churn")


class Clock:
    """Time passes only while someone sleeps."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


class Taking:
    """A target that keeps frames, with the time they came at. `calls` may be shared with others."""

    def __init__(self, clock: Clock | None = None, calls: list[str] | None = None, name: str = "") -> None:
        self.told, self.clock = Told(), clock or Clock()
        self.frames: list[tuple[float, Frame]] = []
        self.completed: list[Subject] = []
        self.finished = self.closed = False
        self.calls, self.name = [] if calls is None else calls, name

    def send(self, frame, stopped):
        self.frames.append((self.clock.now, frame))
        self.told.acknowledged += len(frame)
        self.calls.append(f"{self.name}{len(frame)}")

    def complete(self, subjects):
        self.completed += subjects
        self.calls.append(f"{self.name} complete")

    def finish(self, stopped):
        self.finished = True
        self.calls.append(f"{self.name} finish")

    def close(self, seconds):
        self.closed = True


def lines(*seconds: float) -> list[bytes]:
    """A capture at each time, seconds after T0."""
    return [capture(T0 + int(s * 1000), [(0.5, 30, "rome")], f"e{i}") for i, s in enumerate(seconds)]


def write(path: Path, records: list[bytes]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"".join(record + b"\n" for record in records))
    return path


def frame(*records: bytes, line: int = 1) -> Frame:
    made = Frame.of(SUBJECT, pa.array(records, pa.binary()), 5, source="a.jsonl")
    return msgspec.structs.replace(made, line=made.line + line)
