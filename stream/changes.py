"""How a stage is stored: as small values under keys, and only those that changed since it last was."""

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from schemas.frame import Subject

Changes = dict[str, bytes | None]  # None: the key is gone
Stored = Mapping[str, bytes]
Place = tuple[Subject, int]  # a window's subject and start


def key(*parts: Any) -> str:
    """A key of several parts, read back by `parts`.

    >>> parts(key("window", 3))
    ['window', 3]
    """
    return msgspec.json.encode(parts).decode()


def parts(key: str) -> list[Any]:
    """The parts that `key` was made of."""
    found: list[Any] = msgspec.json.decode(key)
    return found


def together(stages: Mapping[str, Changes]) -> Changes:
    """Changes of several stages that are stored as one; `Within` finds those of each again.

    >>> together({"watch": {"a": b"1"}, "judge": {"a": None}})
    {'watch/a': b'1', 'judge/a': None}
    """
    return {f"{stage}/{name}": value for stage, changes in stages.items() for name, value in changes.items()}


class Within(Mapping[str, bytes]):
    """What one of several stages has stored. Values are looked up when they are asked for."""

    def __init__(self, stored: Stored, stage: str) -> None:
        self._stored, self._prefix = stored, f"{stage}/"

    def __getitem__(self, name: str) -> bytes:
        return self._stored[self._prefix + name]

    def __iter__(self) -> Iterator[str]:
        at = len(self._prefix)
        return (name[at:] for name in self._stored if name.startswith(self._prefix))

    def __len__(self) -> int:
        return sum(1 for _ in self)


def window_group(subject: Subject, start: int) -> str:
    """The group of keys that belong to one window."""
    return key(subject.endpoint, subject.variant, subject.model, start)


class Tracker:
    """What a stage has stored, so that its next checkpoint holds only the difference."""

    def __init__(self, stored: Stored | None = None) -> None:
        self._groups: dict[str, set[str]] = {}
        for name in stored or {}:
            self._groups.setdefault(group_of(name), set()).add(name)

    def changes(self, dirty: Mapping[str, Stored | None]) -> Changes:
        """Changes for the `dirty` groups of keys, each given whole; None where a group is gone."""
        changes: Changes = {}
        for group, now in dirty.items():
            before = self._groups.pop(group, set())
            changes.update(dict.fromkeys(before - set(now or {})))
            if now:
                changes.update(now)
                self._groups[group] = set(now)
        return changes


def grouped(stored: Stored) -> Iterator[tuple[str, bytes, dict[tuple[Any, ...], bytes]]]:
    """Each group of what a stage has stored: its name, the value under that name alone, and the others by
    the rest of their key. Values are read a group at a time: all of them may be more than memory holds."""
    heads: dict[str, str] = {}
    others: dict[str, list[tuple[tuple[Any, ...], str]]] = {}
    for name in stored:
        group, *rest = parts(name)
        if rest:
            others.setdefault(group, []).append((tuple(rest), name))
        else:
            heads[group] = name
    for group, head in heads.items():
        yield group, stored[head], {rest: stored[name] for rest, name in others.get(group, [])}


def group_of(name: str) -> str:
    """The first part of a key, which its group shares."""
    return str(parts(name)[0])
