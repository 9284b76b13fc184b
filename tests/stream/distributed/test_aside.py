"""Messages that cannot be read: each is kept once, also where the place is away for a while."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from schemas.errors import BadFrame, SinkBusy
from sinks.objects import Objects
from stream.distributed import aside as module
from stream.distributed.aside import Aside

RAW = b"\xff\xfedamaged"
MESSAGE = SimpleNamespace(partition=3, offset=7, key=b"s", value=RAW, timestamp=1_700_000_000.5)


class Away(Objects):
    """Refuses the first `times` objects."""

    def __init__(self, path: Path, times: int) -> None:
        there = Objects.at(path)
        super().__init__(there._fs, there._root)
        self.times = times

    def put(self, key: str, body: bytes) -> None:
        self.times -= 1
        if self.times >= 0:
            raise SinkBusy("away")
        super().put(key, body)


def keep(errors: Objects, wanted: Callable[[], bool] = lambda: True, message: Any = MESSAGE) -> None:
    asyncio.run(Aside(errors, "records").keep(message, BadFrame("no frame"), wanted))


def letters(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for file in path.rglob("*.jsonl") for line in file.read_text().splitlines()]


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    monkeypatch.setattr(module, "_AGAIN", 0.0)


def test_it_is_kept_with_its_reason_and_once_however_often_it_comes(tmp_path):
    for _ in range(2):
        keep(Objects.at(tmp_path))
    (letter,) = letters(tmp_path)
    assert base64.b64decode(letter["record_base64"]) == RAW
    assert (letter["code"], letter["source"]) == ("frame", "records")
    assert letter["reason"] == "no frame; its key is 's'"
    assert (letter["partition"], letter["offset"]) == (3, 7)
    assert letter["arrived"] == "2023-11-14T22:13:20.500Z"


@pytest.mark.parametrize("timestamp", [None, -1.0, 1e12, 9e15, float("inf")])
def test_a_message_may_have_any_key_and_say_any_time(tmp_path, timestamp):
    message = SimpleNamespace(partition=0, offset=0, key=b"\xff", value=None, timestamp=timestamp)
    keep(Objects.at(tmp_path), message=message)
    (letter,) = letters(tmp_path)
    assert letter["arrived"] in ("1970-01-01T00:00:00Z", "9999-12-31T23:59:59Z") and "xff" in letter["reason"]


def test_a_place_that_is_away_is_waited_for(tmp_path):
    errors = Away(tmp_path, 3)
    keep(errors)
    assert errors.times == -1 and len(letters(tmp_path)) == 1


def test_it_is_left_when_the_partition_has_become_another_workers(tmp_path):
    errors = Away(tmp_path, 1 << 30)
    keep(errors, lambda: errors.times > (1 << 30) - 5)
    assert errors.times == (1 << 30) - 5 and not letters(tmp_path)
