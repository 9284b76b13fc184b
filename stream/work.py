"""Running a worker in this process, from its settings to its exit code."""

import logging
from typing import Any

from stream.logs import configure
from stream.settings import Settings


def run_worker(settings: Settings) -> int:
    """Work until stopped; the exit code.

    Raises ConfigError, BadBaseline, StateError, TopicError and BrokerError.
    """
    from faust import Worker  # takes a second, and no other command needs it

    from stream.app import make_app

    configure(logging.INFO)
    app = make_app(settings)
    app.listen()  # here, where a port that is taken is one sentence
    worker: Any = Worker(app, loglevel="WARNING", quiet=True, override_logging=False)
    try:
        worker.execute_from_commandline()
    except SystemExit as stop:
        return int(stop.code or 0)
    return 0
