"""Fixtures that tests of several folders share."""

from pathlib import Path

import pytest
from hypothesis import settings

SHARED = Path(__file__).resolve().parents[2] / "shared"

settings.register_profile("streamgauge", deadline=None)  # a slow machine is no failure
settings.load_profile("streamgauge")


@pytest.fixture(scope="session")
def shared() -> Path:
    """Real captures and real AWS output. They are other people's, so the repository carries no copy."""
    if not SHARED.is_dir():
        pytest.skip("no folder `shared` beside the repository: real captures and AWS output are not here")
    return SHARED
