"""A user's Python file, run once as a module of its own; it can import what stands beside it."""

import hashlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import islice
from pathlib import Path
from traceback import walk_tb
from types import ModuleType

from schemas.errors import ConfigError


class Script:
    """A script that was read. Two scripts may each have a neighbour of the same name, and both get their own.

    Raises ConfigError, with file and line, when it cannot be read or run.
    """

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()
        self._directory = str(self.path.parent)
        self._neighbours: dict[str, ModuleType] = {}
        try:
            code = compile(self.path.read_bytes(), str(self.path), "exec")
        except (OSError, SyntaxError, ValueError) as error:
            raise ConfigError(self.blame(error)) from error
        name = f"streamgauge_script_{hashlib.sha256(str(self.path).encode()).hexdigest()[:16]}"
        self.module = ModuleType(name)
        self.module.__file__ = str(self.path)
        sys.modules[name] = self.module  # dataclasses and pickle look for it there
        with self.importing():
            try:
                exec(code, self.module.__dict__)
            except (Exception, SystemExit) as error:
                raise ConfigError(self.blame(error)) from error

    @contextmanager
    def importing(self) -> Iterator[None]:
        """For its duration the script's neighbours can be imported, and after it nobody else meets them."""
        if self._directory in sys.path:  # then they are everybody's
            yield
            return
        displaced = {name: sys.modules[name] for name in self._neighbours if name in sys.modules}
        sys.modules.update(self._neighbours)
        sys.path.insert(0, self._directory)
        before = len(sys.modules)
        try:
            yield
        finally:
            with suppress(ValueError):  # the script may have taken it away itself
                sys.path.remove(self._directory)
            new = [*islice(sys.modules, before, None)]  # in the order of their import
            self._neighbours |= {name: sys.modules[name] for name in new if self._is_neighbour(name)}
            for name in self._neighbours:
                sys.modules.pop(name, None)
            sys.modules.update(displaced)

    def _is_neighbour(self, name: str) -> bool:
        """By its top-level name: the script's directory may hold a virtual environment too."""
        beside = self.path.parent / name.partition(".")[0]
        module = sys.modules[name]
        place = Path(getattr(module, "__file__", None) or next(iter(getattr(module, "__path__", ())), ""))
        return place == beside.with_suffix(".py") or place.is_relative_to(beside)

    def blame(self, error: BaseException) -> str:
        """What went wrong, and in which line of the script.

        A ConfigError raised on purpose while the script ran is said in its own words.
        """
        line = _line(error, str(self.path))
        where = f"{self.path}, line {line}" if line else f"{self.path}"
        if isinstance(error, OSError) and line is None:
            return f"{where}: {error.strerror or error}"
        if isinstance(error, SyntaxError):
            return f"{where}: {type(error).__name__}: {error.msg}"
        if isinstance(error, ConfigError):
            return f"{where}: {error}"
        return f"{where}: {type(error).__name__}: {error}"


def _line(error: BaseException, file: str) -> int | None:
    """The line of `file` that `error` came from; None where it did not come from there."""
    if isinstance(error, SyntaxError) and error.filename == file:
        return error.lineno
    lines = [line for frame, line in walk_tb(error.__traceback__) if frame.f_code.co_filename == file]
    return lines[-1] if lines else None
