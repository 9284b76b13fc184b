"""What is passed on to the join is taken in once and in order, whoever dies, comes late or is heard twice."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import settings as budget
from hypothesis import strategies as st

from made import settings_for
from schemas.errors import BadFrame
from schemas.frame import Subject
from sinks.objects import Objects
from stream.distributed import cutting, passing
from stream.distributed.joining import JoinStage
from stream.distributed.news import Heard
from stream.distributed.passing import Labels, Moved, Origin, Receiver, Session
from stream.distributed.predicting import label_table
from stream.settings import Settings
from stream.setup import Setups
from stream.watermarks import Progress

OFFSETS = 12


@pytest.fixture(scope="module")
def small_pieces():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cutting, "MAX_BODY", 150)
        yield


@pytest.fixture(scope="module")
def known(tmp_path_factory) -> tuple[Settings, Setups]:
    directory = tmp_path_factory.mktemp("passing")
    quality = {"problem_type": "Regression", "inference_attribute": "score"}
    settings = settings_for(directory / "out", directory, quality=quality, kafka={"labels": "truth"})
    return settings, Setups(settings)


def rows(partition: int, first: int, until: int) -> Labels:
    """Labels of the offsets from `first` to `until`, as many as their offset says."""
    offsets = np.repeat(np.arange(first, until + 1), np.arange(first, until + 1) % 3)
    names = [f"{partition}:{offset}:{i}" for i, offset in enumerate(offsets.tolist())]
    names = [name.rpartition(":")[0] for name in names]
    table = label_table(pa.array(names, pa.string()), pa.array(["C1"] * len(names), pa.string()), offsets)
    return Labels(partition, until, passing.to_bytes(table))


def everything(partition: int) -> list[str]:
    return [f"{partition}:{offset}" for offset in range(OFFSETS) for _ in range(offset % 3)]


@dataclass
class Life:
    """What one worker sends, how much of it was durable when it stored how far it is, and how far that is."""

    sent: list[bytes]
    certain: int
    covered: int


def life(draw, partition: int, epoch: int, covered: int) -> Life:
    """A worker that takes up a partition and dies. Of a message that does not arrive it dies before it stores
    what lies behind that; it may have sent more."""
    sent: list[bytes] = []
    session = Session(Origin("labels", partition), epoch, 1, lambda _, message: sent.append(message))
    end = draw(st.integers(covered, OFFSETS - 1))
    cuts = sorted({draw(st.integers(covered, end)) for _ in range(3)} | {covered, end})
    ends = [(0, covered)]  # how many messages there were when so much was passed on
    for before, until in pairwise(cuts):
        session.rows(0, rows(partition, before + 1, until))
        ends.append((len(sent), until))
    certain, stored = draw(st.sampled_from(ends))
    if certain < len(sent) and draw(st.booleans()):
        del sent[draw(st.integers(certain, len(sent) - 1))]
    return Life(sent[: draw(st.integers(certain, len(sent)))], certain, stored)


def final(partition: int, covered: int) -> Life:
    sent: list[bytes] = []
    session = Session(Origin("labels", partition), 9, 1, lambda _, message: sent.append(message))
    for offset in range(covered + 1, OFFSETS, 2):
        session.rows(0, rows(partition, offset, min(offset + 1, OFFSETS - 1)))
    return Life(sent, len(sent), OFFSETS - 1)


def interleaved(draw, lives: list[Life]) -> list[bytes]:
    """Messages as they arrive: what a worker has stored that it sent is there before its successor sends;
    the rest of it may come at any time."""
    late: list[list[bytes]] = []
    log: list[bytes] = []
    for each in lives:
        mine = list(each.sent)
        left = each.certain
        while left:
            choices = [waiting for waiting in (mine, *late) if waiting]
            chosen = draw(st.sampled_from(choices))
            left -= chosen is mine
            log.append(chosen.pop(0))
        late.append(mine)
    return log + [message for mine in late for message in mine]


@dataclass
class Kept:
    stored: dict[str, bytes] = field(default_factory=dict)
    taken: list[str] = field(default_factory=list)
    at: int = 0


@budget(max_examples=300, deadline=None)
@given(st.data())
def test_each_row_once_and_in_order(known, small_pieces, data):
    logs = []
    for partition in range(2):
        lives: list[Life] = []
        for epoch in range(1, data.draw(st.integers(1, 4)) + 1):
            lives.append(life(data.draw, partition, epoch, lives[-1].covered if lives else -1))
        lives.append(final(partition, lives[-1].covered))
        logs.append(interleaved(data.draw, lives))
    log: list[bytes] = []
    while any(logs):
        log.append(data.draw(st.sampled_from([mine for mine in logs if mine])).pop(0))
    taken = received(known, data.draw, log)
    for partition in range(2):
        assert [name for name in taken if name.startswith(f"{partition}:")] == everything(partition)


def received(known, draw, log: list[bytes]) -> list[str]:
    """What a join takes in that is stored now and then, and dies now and then."""
    kept = Kept()
    stage, taken = joining(known, kept)
    offset = 0
    while offset < len(log):
        stage.take(Event(offset, log[offset]))
        offset += 1
        match draw(st.sampled_from(["go on"] * 6 + ["store", "die"])):
            case "store":
                changes = stage.cut(kept.at, offset - 1).changes
                stored = {k: v for k, v in (kept.stored | changes).items() if v is not None}
                kept = Kept(stored, list(taken), offset)
            case "die":
                stage, taken = joining(known, kept)
                offset = kept.at
    return taken


def joining(known, kept: Kept) -> tuple[JoinStage, list[str]]:
    stage = JoinStage(0, *known, Objects.at(Path("unused")), lambda what: None, "log", kept.stored)
    taken = list(kept.taken)
    stage.joining.labels = lambda id_, text: taken.extend(id_.to_pylist())  # type: ignore[method-assign]
    return stage, taken


class Event:
    arrived = 0

    def __init__(self, offset: int, value: bytes) -> None:
        self.offset, self.value = offset, value

    def ack(self) -> None:
        pass


def test_what_is_told_to_all_comes_as_it_was():
    sent: list[tuple[int, bytes]] = []
    session = Session(Origin("captures", 3), 1, 2, lambda at, message: sent.append((at, message)))
    told = [Moved(Subject("a"), Progress(5, 3, 7, idle=True)), Heard(3, 9)]
    for what in told:
        session.all(what)
    receiver = Receiver(None)
    assert [receiver.add(message) for at, message in sent if at == 1] == told
    assert [at for at, _ in sent] == [0, 1, 0, 1]


def test_a_message_that_is_none_is_refused_and_the_next_is_taken(small_pieces):
    receiver, sent = Receiver(None), []
    Session(Origin("labels", 0), 1, 1, lambda _, message: sent.append(message)).rows(0, rows(0, 0, 9))
    for poison in (b"", b"{}", sent[0][:-3], b"\x93\x01\x02\x03"):
        with pytest.raises(BadFrame):
            receiver.add(poison)
    (found,) = [what for message in sent if (what := receiver.add(message)) is not None]
    assert isinstance(found, Labels) and len(sent) > 1


def test_a_gap_is_noticed_until_the_partition_is_taken_up_anew(monkeypatch):
    monkeypatch.setattr(cutting, "MAX_BODY", 100_000)
    receiver, sent = Receiver(None), []
    session = Session(Origin("labels", 0), 1, 1, lambda _, message: sent.append(message))
    for until in range(1, 4):
        session.rows(0, rows(0, until, until))
    assert receiver.add(sent[0]) is not None and receiver.add(sent[2]) is None
    assert receiver.missed == {Origin("labels", 0)}
    Session(Origin("labels", 0), 2, 1, lambda _, message: sent.append(message)).rows(0, rows(0, 2, 3))
    assert receiver.add(sent[3]) is not None and not receiver.missed
    assert receiver.add(sent[1]) is None  # of a worker that was cut off


def test_a_beginning_that_is_gone_is_noticed(monkeypatch):
    monkeypatch.setattr(cutting, "MAX_BODY", 100_000)
    sent: list[bytes] = []
    session = Session(Origin("labels", 0), 1, 1, lambda _, message: sent.append(message))
    session.rows(0, rows(0, 1, 1))
    session.rows(0, rows(0, 2, 2))
    session.all(Heard(0, 7))
    for message in sent[1:]:
        receiver = Receiver(None)
        assert receiver.add(message) is None and receiver.missed == {Origin("labels", 0)}


def test_a_word_counts_where_all_has_come_that_was_sent_before(monkeypatch):
    monkeypatch.setattr(cutting, "MAX_BODY", 100_000)
    sent: list[bytes] = []
    for epoch in (1, 2):
        session = Session(Origin("captures", 0), epoch, 1, lambda _, message: sent.append(message))
        session.all(Heard(0, 10 * epoch))
        session.rows(0, rows(0, epoch, epoch))
        session.all(Heard(0, 10 * epoch + 1))
    before, row, after, of_next, row_of_next, behind = sent

    def told(*messages: bytes) -> list[int]:
        receiver = Receiver(None)
        found = [receiver.add(message) for message in messages]
        return [each.until for each in found if isinstance(each, Heard)]

    assert told(*sent) == [10, 11, 20, 21]
    assert told(before, after, row, after) == [10, 11]
    assert told(of_next, row_of_next, before, row, after, behind) == [20, 21]
    assert told(row, of_next, after) == [20, 11]  # what it rests on has come
