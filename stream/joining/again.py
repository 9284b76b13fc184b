"""Windows joined anew from what is kept: no state can take back a row whose label has changed."""

from collections.abc import Callable, Iterable, Sequence

import numpy as np
import pyarrow as pa
from msgspec import Struct

from stream.joining.joined import Pairs, by_window
from stream.joining.runs import Indices, Mask, Run, Runs

Window = tuple[int, int]  # subject and start (ms)
Pair = Callable[[pa.Table, Indices, pa.StringArray, pa.StringArray], tuple[Pairs, Mask]]

_SUBJECTS = 1 << 20  # more than there are


class _Part(Struct, frozen=True):
    """What of the windows is in one run: rows, the number of the window of each, and which have a label."""

    run: Run
    rows: Indices
    window: Indices
    met: Mask


def join(
    sides: Sequence[Runs], labels: Runs, windows: Iterable[Window], size: int, pair: Pair
) -> tuple[list[tuple[int, int, Pairs]], set[Window]]:
    """All pairs of some `windows`, by subject and start; and the windows that are left as they are, because a
    label that was joined in them is not kept any more."""
    wanted = {start // size * _SUBJECTS + subject: (subject, start) for subject, start in windows}
    parts: list[_Part] = []
    pairs: list[Pairs] = []
    lost: set[int] = set()
    for run in (run for side in sides for run in side) if wanted else ():
        part, found, gone = _in_run(run, labels, np.array(sorted(wanted), np.int64), size, pair)
        parts.append(part)
        pairs += found
        lost |= gone
    for part in parts:
        good = ~np.isin(part.window, np.array(sorted(lost), np.int64))
        part.run.met[part.rows[good]] = part.met[good]
        part.run.unsaved_marks |= bool(good.any())
    incomplete = {wanted[number] for number in lost}
    return [p for p in by_window(pairs, size) if p[:2] not in incomplete], incomplete


def _in_run(
    run: Run, labels: Runs, wanted: Indices, size: int, pair: Pair
) -> tuple[_Part, list[Pairs], set[int]]:
    """What one run holds of the windows, its pairs, and the windows of joined rows without a label."""
    window = run.column("time") // size * _SUBJECTS + run.column("subject")
    rows = np.flatnonzero(run.kept & np.isin(window, wanted))
    part = _Part(run, rows, window[rows], np.zeros(len(rows), np.bool_))
    labelled = np.zeros(len(rows), np.bool_)
    pairs = []
    for found in labels.find(run.ids.take(rows)):
        label = found.run.columns["label"].take(pa.array(found.row))
        nobody = pa.nulls(len(found.row), pa.string())
        some, fits = pair(run.columns, rows[found.sought], label, nobody)
        part.met[found.sought[fits]] = labelled[found.sought] = True
        pairs.append(some)
    return part, pairs, set(part.window[run.met[rows] & ~labelled].tolist())
