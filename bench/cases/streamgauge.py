"""streamgauge: from bytes to a judged window, and its two halves; all columns kept as mergeable states."""

import gauge
from cases.data import Action, Data

PACKAGES = ("pyarrow", "numpy")


def _decode_only(data: Data) -> Action:
    records, known = data.captures.splitlines(), gauge.baseline()
    log = gauge.frames(records, 5_000)
    return lambda: [] if gauge.decoded(log, known) == len(records) else ["not all were decoded"]


def _frames_ready(data: Data) -> Action:
    table, known = data.table, gauge.baseline()
    return lambda: gauge.found_in(table, known)


def _from_bytes(data: Data) -> Action:
    log, known = gauge.frames(data.captures.splitlines()), gauge.baseline()
    return lambda: gauge.judged(log, known)


ACTIONS = {"decode only": _decode_only, "frames ready": _frames_ready, "from capture bytes": _from_bytes}
