"""How commands speak: lines, complaints, exit codes."""

import sqlite3
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console

from schemas.errors import BadBaseline, ConfigError, PipelineError, SourceError, StateError, TopicError

OK, FAILED, WRONG_USE, VIOLATIONS, INTERRUPTED = 0, 1, 2, 3, 130
_WRONG_USE = (ConfigError, SourceError, BadBaseline, StateError, TopicError)

out = Console()
err = Console(stderr=True)


@contextmanager
def told() -> Iterator[None]:
    """Errors become one sentence and an exit code."""
    try:
        yield
    except PipelineError as error:
        complain(str(error))
        sys.exit(WRONG_USE if isinstance(error, _WRONG_USE) else FAILED)
    except (OSError, sqlite3.Error) as error:  # the disk is full, or the directory is not ours
        complain(str(error))
        sys.exit(FAILED)


def complain(sentence: str) -> None:
    """Say on standard error what is wrong."""
    err.out(f"streamgauge: {sentence}", style="red", highlight=False)


def say(line: str) -> None:
    """Say what was done, or found."""
    out.out(line, highlight=False)
