"""Definitions in a compacted log: all who read it agree, from wherever compaction lets them begin."""

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from schemas.delivery_stream import DeliveryStream
from stream.distributed.book import NOTHING, Book, Written

ARN = "arn:aws:firehose:us-east-1:000000000000:deliverystream/s"


def definition(version: int) -> bytes:
    return msgspec.json.encode(DeliveryStream("s", ARN, "DirectPut", "ExtendedS3", {}, 0, 0, version))


def read(log: list[Written]) -> Book:
    book = Book()
    for written in log:
        book.read(written)
    return book


def test_a_stream_that_was_dropped_can_be_made_again_by_who_never_saw_it():
    log = [Written("s", definition(1), 0, NOTHING), Written("s", None, 1, 0)]
    assert read(log).streams == {}
    log.append(Written("s", definition(2), 2, NOTHING))
    assert read(log).streams["s"].version == 2
    log.append(Written("s", definition(3), 3, 1))
    assert read(log).streams["s"].version == 2


def test_a_definition_that_cannot_be_read_is_no_stream(caplog):
    assert read([Written("s", b"{", 0, NOTHING)]).streams == {}
    assert "cannot be read" in caplog.text


writes = st.lists(st.tuples(st.one_of(st.none(), st.integers(1, 5)), st.booleans()), min_size=1, max_size=12)


@given(writes, st.integers(0, 30))
def test_after_compaction_the_log_says_the_same(writes, end):
    """Of each change it is drawn whether its writer was too late: it had not seen the message before. Who is
    too late says behind its message what holds, as doors do."""
    log: list[Written] = []
    full = Book()

    def write(value: bytes | None, before: int) -> bool:
        log.append(Written("s", value, len(log), before))
        return full.read(log[-1])

    for version, late in writes:
        value = None if version is None else definition(version)
        before = full.last("s") - 1 if late and full.last("s") > 0 else full.last("s")
        if not write(value, before):
            assert write(full.mend("s"), full.last("s"))
    assert full.strays() == []
    old, new = log[:end], log[end:]
    assert read([*old[-1:], *new]).streams == full.streams
