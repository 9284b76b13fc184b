"""Small values by name in a partition of a table, of the worker that took the partition up last.

Nobody can keep a worker that was cut off from writing late what it once meant to write. So each worker
writes under keys of its own, which begin with its epoch. One that takes a partition up copies what counts
there, then writes a mark; from then on only keys of its epoch count.
"""

from collections.abc import Iterable

Write = tuple[bytes, bytes | None]  # key and value; None removes


class Remembered:
    """What counts among the `items` of a partition, which is taken up in `epoch`, or in a later one where
    that has been; `next` is the offset from which messages are needed.

    `copies` must be durable before `mark` is written, and that before any `write`; `garbage` may be lost.

    >>> first = Remembered([], 5)
    >>> items = [first.mark, first.write("s", b"one")]
    >>> second = Remembered(items, 5)
    >>> second.values, second.epoch, second.copies, second.mark, second.garbage
    ({'s': b'one'}, 6, [(b'6|s', b'one')], (b'6', b'0'), [(b'5', None), (b'5|s', None)])
    >>> items += [*second.copies, second.mark, first.write("s", b"late")]
    >>> Remembered(items, 7).values
    {'s': b'one'}
    """

    def __init__(self, items: Iterable[tuple[bytes, bytes]], epoch: int) -> None:
        stored = dict(items)
        seen = {key: int(key.partition(b"|")[0]) for key in stored}
        latest = max((begun for key, begun in seen.items() if b"|" not in key), default=-1)
        self.epoch = max([epoch, *(begun + 1 for begun in seen.values())])
        self.values = {
            key.partition(b"|")[2].decode(): value
            for key, value in stored.items()
            if seen[key] == latest and b"|" in key
        }
        self.copies = [self.write(name, value) for name, value in self.values.items()]
        self.next = int(stored[b"%d" % latest]) if latest >= 0 else 0
        self.mark = self.at(self.next)
        self.garbage: list[Write] = [(key, None) for key in sorted(stored)]

    def at(self, next: int) -> Write:
        """The mark, with the first offset that must be read again: an earlier one does no harm."""
        return b"%d" % self.epoch, b"%d" % next

    def write(self, name: str, value: bytes | None) -> Write:
        """A value that is to count from now on; None: it is gone."""
        return b"%d|%b" % (self.epoch, name.encode()), value
