"""Captures are read, cut, paced and handed on, against a target and a clock in memory."""

import pytest

from made import HOUR, T0
from schemas.errors import BrokerError, ConfigError
from schemas.frame import Subject
from schemas.times import to_datetime
from sending.sent import Clock, Taking, lines, write
from stream import source
from stream.sending.address import parse
from stream.sending.pace import Pace
from stream.sending.send import Taker, send
from stream.source import CaptureFile

DEFAULT = Subject("default")


def sending(tmp_path, pace=None, records=2, **more):
    clock = Clock()
    target = Taking(clock)
    files = source.find([str(tmp_path)], DEFAULT)
    result = send(
        files,
        target,
        pace or Pace(),
        records=records,
        clock=clock,
        sleep=clock.sleep,
        now=lambda: int(clock.now * 1000),
        **more,
    )
    return target, result


def test_records_come_in_the_order_of_their_files_in_frames_of_so_many(tmp_path):
    first, second = lines(0, 1, 2, 3, 4), lines(5, 6)
    write(tmp_path / "a.jsonl", first)
    write(tmp_path / "b.jsonl", second)
    target, result = sending(tmp_path)
    frames = [frame for _, frame in target.frames]
    assert [frame.data.to_pylist() for frame in frames] == [first[:2], first[2:4], first[4:], second]
    assert [frame.line.tolist() for frame in frames] == [[1, 2], [3, 4], [5], [1, 2]]
    assert frames[0].source.endswith("a.jsonl") and frames[0].subject == DEFAULT
    assert target.finished and not target.completed and result.problems == []


def test_with_a_speed_they_come_as_they_once_came(tmp_path):
    write(tmp_path / "a.jsonl", lines(0, 1, 60, 61, 30, 31, 180))
    target, result = sending(tmp_path, Pace(speed=60))
    assert [at for at, _ in target.frames] == pytest.approx(
        [100, 101, 101, 103]
    )  # one from before is at once
    assert [int(frame.arrived[0]) for _, frame in target.frames] == pytest.approx(
        [100_000, 101_000, 101_000, 103_000]
    )
    assert result.seconds == pytest.approx(3)


def test_with_a_rate_no_more_come_a_second(tmp_path):
    write(tmp_path / "a.jsonl", lines(*range(6)))
    target, _ = sending(tmp_path, Pace(rate=4))
    assert [at for at, _ in target.frames] == pytest.approx([100, 100.5, 101])


def test_a_rate_makes_up_for_no_time_that_was_lost():
    pace = Pace(rate=10)
    assert pace.wait(0, None, 10) == 0
    assert pace.wait(60, None, 10) == 0
    assert pace.wait(60, None, 10) == 1


def test_windows_are_closed_at_the_end_and_not_when_it_was_stopped(tmp_path):
    write(tmp_path / "a.jsonl", lines(*range(6)))
    target, _ = sending(tmp_path, final=[DEFAULT])
    assert target.completed == [DEFAULT]
    target, result = sending(tmp_path, final=[DEFAULT], stopped=lambda: True)
    assert not target.completed and not target.frames and result.stopped


def test_being_stopped_ends_a_long_wait(tmp_path):
    write(tmp_path / "a.jsonl", lines(0, 1, 86_400, 86_401))
    looks = iter([False] * 10 + [True] * 1000)
    target, result = sending(tmp_path, Pace(speed=1), stopped=lambda: next(looks))
    assert len(target.frames) == 1 and result.stopped and result.seconds < 10


def test_a_file_that_cannot_be_read_is_told_and_the_others_are_sent(tmp_path):
    (tmp_path / "a.jsonl.gz").write_bytes(b"not gzip at all")
    write(tmp_path / "b.jsonl", lines(0))
    seen = []
    target, result = sending(tmp_path, progress=lambda done, total: seen.append((done, total)))
    assert len(target.frames) == 1
    assert len(result.problems) == 1 and "a.jsonl.gz" in result.problems[0]
    assert seen[-1][0] == seen[-1][1]


def test_records_that_say_no_time_wait_for_nothing(tmp_path):
    write(tmp_path / "a.jsonl", [b"broken", *lines(0), b"[" * 100_000, b"{}"])
    target, _ = sending(tmp_path, Pace(speed=1), records=1)
    assert [at for at, _ in target.frames] == pytest.approx([100] * 4)


def hour(number: int) -> str:
    return f"{to_datetime(T0 + number * HOUR):%Y/%m/%d/%H}"


@pytest.fixture
def with_labels(tmp_path):
    """Captures of three hours, 5, 3 and 1 of them; labels that came in the first, second and fourth."""
    for number, count in ((0, 5), (1, 3), (2, 1)):
        records = lines(*(number * 3600 + i for i in range(count)))
        write(tmp_path / "captures/churn/AllTraffic" / hour(number) / "a.jsonl", records)
    for number, ids in ((0, "abc"), (1, "da"), (3, "b")):
        write(tmp_path / "truth" / hour(number) / "a.csv", [b"id,label", *(b"%c,1" % ord(i) for i in ids)])
    captures = source.find([str(tmp_path / "captures")], DEFAULT)
    truth = source.find_labels([str(tmp_path / "truth")])
    return sorted([*captures, *truth], key=CaptureFile.order)


def send_both(files, pace=None, **more):
    clock, calls = Clock(), []
    captures, truth = Taking(clock, calls, "c"), Taking(clock, calls, "l")
    labels = Taker(truth, 2)
    args = {"records": 3, "clock": clock, "sleep": clock.sleep, "now": lambda: int(clock.now * 1000)} | more
    return captures, truth, lambda: send(files, captures, pace or Pace(), labels=labels, **args)


def test_labels_of_an_hour_come_when_its_captures_are_acknowledged_and_windows_are_closed_behind_all(
    with_labels,
):
    captures, truth, run = send_both(with_labels, final=[DEFAULT])
    run()
    told = " ".join(captures.calls)
    assert told.startswith("c3 c2 c finish l2 l1 c3 c finish l2 c1 c finish l1 ")
    assert told.endswith("l finish c finish c complete c finish")
    sent = [record for _, frame in truth.frames for record in frame.data.to_pylist()]
    assert sent == [b"a,1", b"b,1", b"c,1", b"d,1", b"a,1", b"b,1"]
    assert all(frame.labels for _, frame in truth.frames) and {f.arrived[0] for _, f in truth.frames} == {
        100_000
    }
    assert not any(frame.labels for _, frame in captures.frames)
    assert (captures.told.acknowledged, truth.told.acknowledged) == (9, 6) and not truth.completed


def test_with_a_speed_labels_come_at_the_end_of_their_hour(with_labels):
    captures, truth, run = send_both(with_labels, Pace(speed=3600))
    run()
    assert [at for at, _ in truth.frames] == pytest.approx([101, 101, 102, 104])
    assert [at for at, _ in captures.frames] == pytest.approx([100, 100 + 3 / 3600, 101, 102])


def test_a_rate_counts_labels_too(with_labels):
    _, truth, run = send_both(with_labels, Pace(rate=1))
    result = run()
    assert result.seconds == pytest.approx(14) and truth.frames[0][0] == 105


def test_labels_of_no_hour_wait_for_nothing(tmp_path):
    write(tmp_path / "2023/99/99/99/a.csv", [b"a,1"])
    write(tmp_path / "b.csv", [b"b,1"])
    _, truth, run = send_both(source.find_labels([str(tmp_path)]), Pace(speed=1))
    run()
    assert [at for at, _ in truth.frames] == [100, 100]


def test_windows_stay_open_when_labels_are_not_acknowledged(with_labels):
    captures, truth, run = send_both(with_labels, final=[DEFAULT])

    def refuse(stopped):
        raise BrokerError("labels: no broker answered")

    truth.finish = refuse
    with pytest.raises(BrokerError):
        run()
    assert not captures.completed


def test_being_stopped_while_captures_are_waited_for_sends_no_labels(with_labels):
    stop = []
    captures, truth, run = send_both(with_labels, stopped=lambda: bool(stop), final=[DEFAULT])
    captures.finish = stop.append
    assert run().stopped and not truth.frames and not captures.completed


@pytest.mark.parametrize(
    "text",
    ["kafka://host", "kafka:///topic", "kafka://u:p@host:1/t", "ftp://h/t", "http://a:1,b:2/s", 
     "kafka://h:1/a b", "kafka://a,,b/t", "http://h:port/s", "host:9092/topic"],
)  # fmt: skip
def test_what_is_no_address_is_refused(text):
    with pytest.raises(ConfigError):
        parse(text)


def test_addresses():
    assert parse("http://[::1]:4573/captures").hosts == ("[::1]:4573",)
    assert parse("https://firehose.example.com/s").name == "s"
    assert str(parse("kafka://a:1,b/t")) == "kafka://a:1,b/t"
