"""Everything kept of one window's rows by the data-quality monitor."""

from collections.abc import Mapping

import msgspec
from msgspec import Struct

from monitors.feature import FeatureState
from monitors.samples import Samples

MAX_EXTRA = 100  # names kept of columns that the baseline does not know

_ABOUT = "about"  # the part of a dumped state that belongs to no feature
_FEATURE = "feature:"  # before a feature's name, which may be any text, the empty one too
_SAMPLES = "samples:"


class DataQualityState(Struct, frozen=True):
    """States of all features over `rows` rows; `DataQualityState()` is the identity of merge.

    `misfits` counts records that held another number of columns (by that number), `extra` are names of
    columns that the baseline does not know. `samples` are of the features of which a record broke a rule.
    """

    rows: int = 0
    features: dict[str, FeatureState] = {}
    misfits: dict[int, int] = {}
    extra: frozenset[str] = frozenset()
    samples: dict[str, Samples] = {}

    def merge(self, other: "DataQualityState") -> "DataQualityState":
        """Combine two disjoint samples; neither is changed."""
        features = dict(self.features)
        for name, state in other.features.items():
            features[name] = features[name].merge(state) if name in features else state
        misfits = {
            width: self.misfits.get(width, 0) + other.misfits.get(width, 0)
            for width in sorted({*self.misfits, *other.misfits})
        }
        extra = frozenset(sorted(self.extra | other.extra)[:MAX_EXTRA])
        found = dict(self.samples)
        for name, some in other.samples.items():
            found[name] = found[name].merge(some) if name in found else some
        return DataQualityState(self.rows + other.rows, features, misfits, extra, found)

    def dump(self) -> Mapping[str, bytes]:
        """One part a feature, one for its samples where it has some, and one for the rest."""
        about = msgspec.msgpack.encode((self.rows, self.misfits, sorted(self.extra)))
        features = {_FEATURE + name: state.dump() for name, state in self.features.items()}
        found = {_SAMPLES + name: msgspec.msgpack.encode(some) for name, some in self.samples.items()}
        return {_ABOUT: about} | features | found

    @classmethod
    def load(cls, parts: Mapping[str, bytes]) -> "DataQualityState":
        """Restore what `dump` gave."""
        rows, misfits, extra = msgspec.msgpack.decode(
            parts[_ABOUT], type=tuple[int, dict[int, int], list[str]]
        )
        features = {
            part.removeprefix(_FEATURE): FeatureState.load(raw)
            for part, raw in parts.items()
            if part.startswith(_FEATURE)
        }
        found = {
            part.removeprefix(_SAMPLES): msgspec.msgpack.decode(raw, type=Samples)
            for part, raw in parts.items()
            if part.startswith(_SAMPLES)
        }
        return cls(rows, features, misfits, frozenset(extra), found)
