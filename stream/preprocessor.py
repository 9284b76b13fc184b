"""A `preprocess_handler` script as it runs under Model Monitor, read from its file."""

import inspect
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

from schemas.errors import BadRecord, ConfigError
from stream.scripts import Script

_FUNCTION = "preprocess_handler"


class Preprocessor:
    """Calls the script's `preprocess_handler(inference_record)`, or `(inference_record, logger)`.

    Raises ConfigError when the script cannot be run or has no such function. A call raises BadRecord, with
    the line of the script, when the handler does.
    """

    def __init__(self, path: Path) -> None:
        self._script = Script(path)
        handler = getattr(self._script.module, _FUNCTION, None)
        if not callable(handler):
            raise ConfigError(f"{path}: defines no function {_FUNCTION}")
        self._call = _with_logger(handler, path)

    def __call__(self, record: Any) -> Any:
        with self._script.importing():
            try:
                return self._call(record)
            except (Exception, SystemExit) as error:
                raise BadRecord("preprocessor", self._script.blame(error)) from error


def _with_logger(handler: Callable[..., Any], path: Path) -> Callable[[Any], Any]:
    """The handler as a function of the record alone."""
    signature = inspect.signature(handler)
    try:
        signature.bind(None)
    except TypeError:
        pass
    else:
        if "logger" not in signature.parameters:
            return handler
    try:
        signature.bind(None, None)
    except TypeError as error:
        raise ConfigError(
            f"{path}: {_FUNCTION}{signature} takes neither (inference_record) nor (inference_record, logger)"
        ) from error
    log = logging.getLogger(f"preprocessor.{path.stem}")
    return lambda record: handler(record, log)
