"""Log lines for people and machines: a fixed sentence, then key=value facts."""

import logging
import sys
from typing import TextIO

_STANDARD = set(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
_TALKATIVE = {  # what they say below this level is of interest to themselves
    **dict.fromkeys(("aiokafka", "faust", "mode"), logging.WARNING),
    "kafka": logging.CRITICAL,  # each try of a connection; what came of them is said where it is known
    **dict.fromkeys(("faust.transport.producer", "mode.timers"), logging.ERROR),
}


class _Facts(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        facts = {k: v for k, v in vars(record).items() if k not in _STANDARD}
        return super().format(record) + "".join(f" {name}={value}" for name, value in facts.items())


class _Handler(logging.StreamHandler[TextIO]):
    """Writes to what standard error is at the time: while a progress bar is shown, to the lines above it."""

    def emit(self, record: logging.LogRecord) -> None:
        self.stream = sys.stderr
        super().emit(record)


def configure(level: int) -> None:
    """Send the project's log lines at `level` and above to standard error."""
    handler = _Handler()
    handler.setFormatter(_Facts("%(asctime)s %(levelname)s %(name)s %(message)s"))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for name, least in _TALKATIVE.items():
        logging.getLogger(name).setLevel(max(level, least))
    # Its client warns of every answer that is not yes, a 404 to a question too; who asked says what is wrong.
    logging.getLogger("opensearch").setLevel(logging.ERROR)
