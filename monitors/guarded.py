"""A monitor that may fail, made safe: what it raises becomes part of the finding; nothing else is lost."""

from collections.abc import Callable, Mapping
from typing import Any

import msgspec
from msgspec import Struct

from monitors.base import Monitor
from schemas.report import Finding, Violation
from schemas.rows import Rows

CHECK = "monitor_error"
_ABOUT = "about"
_INNER = "inner:"  # before the parts of the inner state
_MOST = 5  # different errors kept

Explain = Callable[[Exception], str]


class GuardedState(Struct, frozen=True):
    """The state of a monitor, None while it has seen nothing; `errors` it raised, and rows it did not see."""

    inner: Any = None
    errors: frozenset[str] = frozenset()
    unseen: int = 0

    def merge(self, other: "GuardedState") -> "GuardedState":
        """Combine two disjoint samples; neither is changed. States that cannot be merged are lost."""
        errors = self.errors | other.errors
        inner = other.inner if self.inner is None else self.inner
        if self.inner is not None and other.inner is not None:
            try:
                inner = self.inner.merge(other.inner)
            except Exception as error:
                inner, errors = None, errors | {f"merge: {type(error).__name__}: {error}"}
        return GuardedState(inner, _first(errors), self.unseen + other.unseen)

    def dump(self) -> Mapping[str, bytes]:
        """The parts of the inner state, and one for the rest."""
        parts: dict[str, bytes] | None = None
        errors = self.errors
        try:
            if self.inner is not None:
                parts = {_INNER + str(name): bytes(raw) for name, raw in self.inner.dump().items()}
        except Exception as error:
            errors |= {f"dump: {type(error).__name__}: {error}"}
        about = (parts is not None, sorted(_first(errors)), self.unseen)
        return (parts or {}) | {_ABOUT: msgspec.msgpack.encode(about)}


class Guarded:
    """`inner`, whose exceptions are findings. `explain` puts one into words, with the place it came from."""

    def __init__(self, inner: Monitor, explain: Explain) -> None:
        self.name = inner.name
        self._inner = inner
        self._explain = explain

    def observe(self, rows: Rows) -> GuardedState:
        """The state of `rows`; the inner monitor is not asked when there is nothing to see."""
        if not len(rows) and not rows.misfits:
            return GuardedState()
        try:
            return GuardedState(self._inner.observe(rows))
        except Exception as error:
            return GuardedState(None, frozenset({self._explain(error)}), len(rows))

    def load(self, parts: Mapping[str, bytes]) -> GuardedState:
        """Restore a state from its dumped parts."""
        has_state, errors, unseen = msgspec.msgpack.decode(parts[_ABOUT], type=tuple[bool, list[str], int])
        known = frozenset(errors)
        if not has_state:
            return GuardedState(None, known, unseen)
        own = {name.removeprefix(_INNER): raw for name, raw in parts.items() if name.startswith(_INNER)}
        try:
            return GuardedState(self._inner.load(own), known, unseen)
        except Exception as error:
            return GuardedState(None, _first(known | {self._explain(error)}), unseen)

    def finish(self, state: GuardedState) -> Finding:
        """The inner monitor's word, and a violation for what it raised."""
        finding = Finding([], [], {})
        errors = state.errors
        if state.inner is not None:
            try:
                finding = self._inner.finish(state.inner)
                # what is no finding, or cannot be written, would stop the service later
                finding = msgspec.convert(finding, Finding)
                msgspec.json.encode(finding)
            except Exception as error:
                finding, errors = Finding([], [], {}), errors | {self._explain(error)}
        if not errors:
            return finding
        unseen = f" Rows that it did not see: {state.unseen}." if state.unseen else ""
        text = f"The monitor failed: {'; '.join(sorted(errors))}.{unseen}"
        violations = [*finding.violations, Violation(self.name, CHECK, text)]
        documents = {**finding.documents, "constraint_violations.json": {"violations": violations}}
        return Finding(violations, finding.drift, documents)


def _first(errors: frozenset[str]) -> frozenset[str]:
    """Some of the errors, the same ones in whatever order they came."""
    return frozenset(sorted(errors)[:_MOST])
