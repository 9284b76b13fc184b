"""Trying again: only what may pass, only after each delay, and then no more."""

import itertools
import sqlite3

import pytest

from schemas.errors import ConfigError, SinkBusy
from stream.retry import persist


class Scripted:
    """An action that does what it is told: raises the next of `outcomes`, or succeeds on None."""

    def __init__(self, *outcomes: Exception | None) -> None:
        self.outcomes = list(outcomes)
        self.calls = 0

    def __call__(self) -> None:
        self.calls += 1
        outcome = self.outcomes.pop(0)
        if outcome is not None:
            raise outcome


def test_what_succeeds_is_done_once_and_nobody_waits():
    action, slept = Scripted(None), []
    persist(action, [1.0, 2.0], slept.append)
    assert (action.calls, slept) == (1, [])


def test_a_busy_sink_is_tried_again_after_each_delay():
    action, slept = Scripted(SinkBusy("full"), sqlite3.OperationalError("disk is full"), None), []
    persist(action, [1.0, 2.0, 5.0], slept.append)
    assert (action.calls, slept) == (3, [1.0, 2.0])


def test_after_the_last_delay_the_reason_is_told():
    action, slept = Scripted(*[sqlite3.OperationalError("disk is full")] * 3), []
    with pytest.raises(SinkBusy, match="disk is full") as error:
        persist(action, [1.0, 2.0], slept.append)
    assert (action.calls, slept) == (3, [1.0, 2.0])
    assert isinstance(error.value.__cause__, sqlite3.OperationalError)


def test_delays_may_be_without_end():
    action, slept = Scripted(*[SinkBusy("full")] * 40, None), []
    persist(action, itertools.repeat(10.0), slept.append)
    assert (action.calls, len(slept)) == (41, 40)


@pytest.mark.parametrize(
    "error", [ConfigError("wrong"), KeyError("x"), KeyboardInterrupt(), sqlite3.IntegrityError()]
)
def test_what_will_not_pass_is_not_tried_again(error):
    action, slept = Scripted(error), []
    with pytest.raises(type(error)):
        persist(action, [1.0], slept.append)
    assert (action.calls, slept) == (1, [])


def test_each_new_try_is_logged_with_its_reason(caplog):
    persist(Scripted(SinkBusy("out/a: no space"), None), [0.5], lambda _: None)
    (record,) = caplog.records
    assert (record.message, record.reason, record.seconds) == (
        "write failed, trying again",
        "out/a: no space",
        0.5,
    )
