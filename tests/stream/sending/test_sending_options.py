"""What replay --to and topics refuse, and what they say; brokers are needed for none of it."""

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from schemas.errors import BrokerError
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
