"""What replay --to and topics refuse, and what they say; brokers are needed for none of it."""

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from schemas.errors import BrokerError, TopicError
from sending.sent import Taking, lines, write
from stream.cli import main
from stream.sending import run as sending

KAFKA = "kafka://127.0.0.1:1/captures"


def run(*arguments: object) -> Result:
    result = CliRunner().invoke(main, [str(argument) for argument in arguments], terminal_width=80)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


@pytest.fixture
def captures(tmp_path) -> Path:
    write(tmp_path / "churn" / "AllTraffic" / "2023" / "11" / "15" / "00" / "a.jsonl", lines(0, 1, 2))
    write(tmp_path / "other" / "AllTraffic" / "2023" / "11" / "15" / "00" / "b.jsonl", lines(3, 4))
    return tmp_path


@pytest.fixture
def taking(monkeypatch) -> Taking:
    target = Taking()
    monkeypatch.setattr(sending, "_target", lambda *_: target)
    return target


@pytest.fixture
def takings(monkeypatch) -> dict[str, Taking]:
    """A target for each place that is sent to."""
    found: dict[str, Taking] = {}
    monkeypatch.setattr(sending, "_target", lambda to, *_: found.setdefault(str(to), Taking()))
    return found


@pytest.fixture
def configured(captures):
    """Writes settings with places of ground truth, which hold three labels; `more` is added."""

    def write_settings(more: str = "") -> Path:
        write(captures / "truth" / "2023" / "11" / "15" / "00" / "a.csv", [b"a,1", b"b,0", b"c,1"])
        config = captures / "streamgauge.toml"
        config.write_text(f'[labels]\nplaces = ["truth"]\n{more}')
        return config

    return write_settings


def send_all(captures, *arguments):
    return run("replay", captures / "churn", captures / "other", *arguments)


DOOR = "http://127.0.0.1:1/captures"


@pytest.mark.parametrize(
    ("to", "more", "arguments", "place"),
    [
        (KAFKA, "", (), "kafka://127.0.0.1:1/streamgauge-labels"),
        (KAFKA, '[kafka]\napp = "x"', (), "kafka://127.0.0.1:1/x-labels"),
        (KAFKA, '[kafka]\nlabels = "y"', (), "kafka://127.0.0.1:1/y"),
        (KAFKA, '[kafka]\nlabels = "y"', ("--labels-to", "z"), "kafka://127.0.0.1:1/z"),
        (DOOR, '[firehose]\nlabels = ["truth"]', (), "http://127.0.0.1:1/truth"),
        (DOOR, '[firehose]\nlabels = ["a", "b"]', ("--labels-to", "b"), "http://127.0.0.1:1/b"),
        (DOOR, "", ("--labels-to", "b"), "http://127.0.0.1:1/b"),
    ],
)
def test_labels_go_to_the_place_of_their_own_and_are_counted_apart(
    captures, takings, configured, to, more, arguments, place
):
    result = send_all(captures, "--to", to, "--config", configured(more), *arguments)
    assert result.exit_code == 0, result.output
    assert f"Records  5 acknowledged by {to}\n" in result.output
    assert f"Labels   3 acknowledged by {place}\n" in result.output
    assert takings.keys() == {to, place}
    assert [frame.labels for _, frame in takings[place].frames] == [True]
    assert not any(frame.labels for _, frame in takings[to].frames)
    assert all(taking.finished and taking.closed for taking in takings.values())


def test_a_door_without_a_stream_for_labels_is_told_and_captures_are_sent(captures, takings, configured):
    result = send_all(captures, "--to", DOOR, "--config", configured())
    assert result.exit_code == 0 and "Records  5 acknowledged" in result.output
    assert "labels are not sent: name their stream with --labels-to" in " ".join(result.output.split())
    assert "Labels" not in result.output and takings.keys() == {DOOR}


def test_places_without_labels_are_told_and_need_no_topic(captures, takings, configured):
    config = configured()
    next(captures.glob("truth/**/*.csv")).unlink()
    result = send_all(captures, "--to", KAFKA, "--config", config)
    assert result.exit_code == 0 and takings.keys() == {KAFKA}
    assert "there are no files of labels" in " ".join(result.output.split())


@pytest.mark.parametrize(
    ("to", "more", "arguments", "reason"),
    [
        (
            DOOR,
            '[firehose]\nlabels = ["a", "b"]',
            (),
            "firehose.labels names a, b: choose one with --labels-to",
        ),
        (KAFKA, '[kafka]\nlabels = "captures"', (), "captures and labels cannot both go there"),
        (KAFKA, "", ("--labels-to", "a b"), "is no place to send to"),
    ],
)
def test_where_labels_cannot_go_is_wrong_use(captures, takings, configured, to, more, arguments, reason):
    result = send_all(captures, "--to", to, "--config", configured(more), *arguments)
    assert result.exit_code == 2 and reason in " ".join(result.output.split())
    assert not takings


def test_a_name_for_labels_without_labels_is_wrong_use(captures, taking):
    result = run("replay", captures, "--to", KAFKA, "--labels-to", "x")
    assert result.exit_code == 2 and "set labels.places" in " ".join(result.output.split())


def test_a_missing_topic_of_labels_is_named_before_anything_is_sent(
    captures, taking, configured, monkeypatch
):
    def target(to, *_):
        if to.name == "captures":
            return taking
        raise TopicError(f"{to.name}: no such topic")

    monkeypatch.setattr(sending, "_target", target)
    result = send_all(captures, "--to", KAFKA, "--config", configured())
    said = " ".join(result.output.split())
    assert result.exit_code == 2 and "labels: streamgauge-labels: no such topic; --labels-to or kafka" in said
    assert not taking.frames and taking.closed


def test_a_failure_says_how_many_labels_were_acknowledged(captures, takings, configured, monkeypatch):
    def finish(self, stopped):
        if self.frames and self.frames[0][1].labels:
            raise BrokerError("labels: no broker answered for 2 s")

    monkeypatch.setattr(Taking, "finish", finish)
    result = send_all(captures, "--to", KAFKA, "--config", configured(), "--final")
    assert result.exit_code == 1
    assert "for 2 s; 5 records and 3 labels were acknowledged" in " ".join(result.output.split())
    assert not takings[KAFKA].completed and all(taking.closed for taking in takings.values())


def test_labels_that_were_left_out_are_a_failure(captures, takings, configured, monkeypatch):
    def send(self, frame, stopped):
        self.told.acknowledged += len(frame)
        if frame.labels:
            self.told.refuse("a.csv, line 1: 2,000,000 bytes")

    monkeypatch.setattr(Taking, "send", send)
    result = send_all(captures, "--to", KAFKA, "--config", configured())
    assert result.exit_code == 1
    assert "1 labels are too large and were left out: a.csv, line 1" in " ".join(result.output.split())


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (
            ("--to", KAFKA, "--baseline", "b", "--overwrite"),
            "--baseline, --overwrite: captures are judged where",
        ),
        (
            ("--to", KAFKA, "--window", "1h", "--exit-zero"),
            "--window, --exit-zero: captures are judged where",
        ),
        (("--to", "kafka://somewhere"), "is no place to send to"),
        (("--to", "http://127.0.0.1:1/s", "--final"), "--final: only with --to kafka"),
        (("--rate", "5", "--frame", "1"), "--rate, --frame: only with --to"),
        (("--labels-to", "x"), "--labels-to: only with --to"),
        (("--final", "--baseline", "b"), "--final: only with --to"),
    ],
)
def test_options_that_make_no_sense_together_are_wrong_use(captures, taking, arguments, reason):
    result = run("replay", captures, *arguments)
    assert result.exit_code == 2 and reason in " ".join(result.output.split())
    assert not taking.frames


def test_what_was_sent_is_said(captures, taking):
    result = run("replay", captures, "--to", KAFKA, "--frame", "2", "--final")
    assert result.exit_code == 0, result.output
    assert "Records  5 acknowledged by kafka://127.0.0.1:1/captures" in result.output
    assert [len(frame) for _, frame in taking.frames] == [2, 1, 2]
    assert [str(subject) for subject in taking.completed] == ["churn/AllTraffic", "other/AllTraffic"]


def test_raw_records_say_no_endpoint_so_one_is_closed_and_that_is_said(captures, taking):
    result = run("replay", captures, "--to", KAFKA, "--frame", "1", "--final", "--endpoint", "e")
    assert result.exit_code == 0
    assert "captures of churn/AllTraffic, other/AllTraffic go to one endpoint" in " ".join(
        result.output.split()
    )
    assert [str(subject) for subject in taking.completed] == ["e/AllTraffic"]


def test_a_failure_says_how_many_records_were_acknowledged(captures, taking, monkeypatch):
    def finish(stopped):
        raise BrokerError("captures: no broker answered for 2 s")

    monkeypatch.setattr(taking, "finish", finish)
    result = run("replay", captures, "--to", KAFKA)
    assert result.exit_code == 1
    assert "no broker answered for 2 s; 5 records were acknowledged" in result.output


def test_records_that_were_left_out_are_a_failure(captures, taking):
    taking.told.refuse("a.jsonl, line 3: 2,000,000 bytes")
    result = run("replay", captures, "--to", KAFKA)
    assert result.exit_code == 1
    assert "1 records are too large and were left out: a.jsonl, line 3" in " ".join(result.output.split())


def test_no_captures_are_wrong_use(tmp_path, taking):
    assert run("replay", "--to", KAFKA).exit_code == 2
    assert run("replay", tmp_path / "nothing", "--to", KAFKA).exit_code == 2


def test_topics_wants_settings():
    assert run("topics").exit_code == 2
