"""Fixtures that tests of several folders share."""

import logging
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from scripted import Scripted

SHARED = Path(__file__).resolve().parents[2] / "shared"

settings.register_profile("streamgauge", deadline=None)  # a slow machine is no failure
settings.load_profile("streamgauge")


@pytest.fixture(scope="session")
def shared() -> Path:
    """Real captures and real AWS output. They are other people's, so the repository carries no copy."""
    if not SHARED.is_dir():
        pytest.skip("no folder `shared` beside the repository: real captures and AWS output are not here")
    return SHARED


@pytest.fixture
def handlers() -> Iterator[None]:
    """A command sets up logging for its process: put it back for those who come after."""
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    yield
    root.handlers[:] = before
    root.setLevel(level)


@pytest.fixture
def scripted() -> Iterator[Callable[..., Scripted]]:
    """Starts HTTP servers that play back the answers they are given; they end with the test."""
    started: list[Scripted] = []

    def start(*answers) -> Scripted:
        started.append(Scripted(*answers))
        return started[-1]

    yield start
    for server in started:
        server.close()
