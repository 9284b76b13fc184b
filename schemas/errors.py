"""Everything this project raises on purpose, and what its caller does about it.

* PipelineError
  x ConfigError    settings or arguments are wrong: stop before the first record
  x SourceError    captures cannot be found, or not be read to their end: say so, go on with the rest
  x BadRecord      this record can never be read: keep it aside with the reason, go on
  x BadBaseline    the baseline does not fit or cannot be read: stop
  x BadFrame       a message that starts like a frame is not one: keep it aside, go on
  x StateError     the output directory belongs to another run or process: stop
  x TopicError     a topic is not as the settings want it and cannot be made so: stop
  x BrokerError    brokers cannot be reached, or refuse: stop, and say what they had taken
  x SinkBusy       these rows may be stored later: retry, do not commit
  x InvokeFailed   a function that transforms records gave no answer: try again, then fail its records
  x ModelFailed    a model gave no answer that can be used: the window is explained in part, or not at all
"""


class PipelineError(Exception):
    """Base of all errors raised on purpose."""


class ConfigError(PipelineError):
    """Settings or arguments are wrong."""


class SourceError(PipelineError):
    """Captures cannot be found or read."""


class BadBaseline(PipelineError):
    """A baseline file is missing, unreadable, or does not fit."""


class BadFrame(PipelineError):
    """A log message starts like a frame and cannot be read as one."""


class StateError(PipelineError):
    """The state in the output directory cannot be used by this run."""


class TopicError(PipelineError):
    """A topic is not as the settings want it, and cannot be made so."""


class BrokerError(PipelineError):
    """Brokers, or a door in their place, cannot be reached or refuse what they are sent."""


class SinkBusy(PipelineError):
    """Rows are not stored and may be later."""


class BadRecord(PipelineError):
    """A record can never be read.

    `code` is a short word to count by (`json`, `utf8`, `version`, `schema`, `time`, `future`,
    `payload`, `columns`, `baseline`, `preprocessor`); the message is for a person. `width` is the number
    of columns seen, where that is what was wrong.
    """

    def __init__(self, code: str, message: str, width: int | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.width = width


class InvokeFailed(PipelineError):
    """A function was not reached, took too long, or raised; `code` is the error code of its records."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class ModelFailed(PipelineError):
    """A model was not reached, took too long, refused, or answered something else than was asked."""
