"""Everything kept of one window's rows by the bias monitor."""

from collections.abc import Mapping

import msgspec
from msgspec import Struct

from monitors.bias.flip import Sample
from monitors.bias.table import Table

_ABOUT, _SAMPLE = "about", "sample"
_FACET = "facet:"  # before a facet's name


class BiasState(Struct, frozen=True):
    """A table of each facet, the largest number of each continuous column, and the rows of the flip test.

    States of one plan merge; an empty one of it is the identity.
    """

    rows: int
    tables: dict[str, Table]
    highest: dict[str, float]
    sample: Sample

    def merge(self, other: "BiasState") -> "BiasState":
        """Combine two disjoint samples; neither is changed."""
        tables = {name: table.merge(other.tables[name]) for name, table in self.tables.items()}
        highest = {
            name: max(state.highest[name] for state in (self, other) if name in state.highest)
            for name in sorted({*self.highest, *other.highest})
        }
        return BiasState(self.rows + other.rows, tables, highest, self.sample.merge(other.sample))

    def dump(self) -> Mapping[str, bytes]:
        """A part for each facet, one for the sample and one for the rest."""
        tables = {_FACET + name: table.dump() for name, table in self.tables.items()}
        about = msgspec.msgpack.encode((self.rows, self.highest))
        return {_ABOUT: about, _SAMPLE: self.sample.dump()} | tables

    @classmethod
    def load(cls, parts: Mapping[str, bytes]) -> "BiasState":
        """Restore what `dump` gave."""
        rows, highest = msgspec.msgpack.decode(parts[_ABOUT], type=tuple[int, dict[str, float]])
        tables = {
            part.removeprefix(_FACET): Table.load(raw)
            for part, raw in parts.items()
            if part.startswith(_FACET)
        }
        return cls(rows, tables, highest, Sample.load(parts[_SAMPLE]))
