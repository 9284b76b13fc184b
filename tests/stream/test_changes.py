"""What a stage has stored, in groups: each is read when it is its turn."""

from collections.abc import Iterator, Mapping

from stream.changes import grouped, key


class Read(Mapping[str, bytes]):
    """Remembers which of its values were read."""

    def __init__(self, values: Mapping[str, bytes]) -> None:
        self._values = values
        self.names: list[str] = []

    def __getitem__(self, name: str) -> bytes:
        self.names.append(name)
        return self._values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)


def test_a_group_is_read_when_its_turn_comes_and_one_without_a_head_never():
    stored = Read(
        {key("b", 1, "x"): b"3", key("a"): b"1", key("gone", 1): b"-", key("b"): b"2", key("b", 2): b"4"}
    )
    groups = grouped(stored)
    assert next(groups) == ("a", b"1", {}) and stored.names == [key("a")]
    assert next(groups) == ("b", b"2", {(1, "x"): b"3", (2,): b"4"})
    assert not list(groups) and sorted(stored.names) == sorted(set(stored) - {key("gone", 1)})
