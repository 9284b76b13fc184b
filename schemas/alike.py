"""Decoding of records that are alike: CSV payloads in envelopes of one form, found by a template."""

import numpy as np
import pyarrow as pa

from schemas import template
from schemas.columns import csv_columns
from schemas.errors import BadRecord
from schemas.frame import Frame
from schemas.layout import Layout
from schemas.rows import Part, assemble
from schemas.template import Matched
from schemas.times import parse_times

_BYTE_ORDER_MARK = 0xEF  # its first byte in UTF-8
_LEAST = 16  # records worth learning a template for


def read(frame: Frame, layout: Layout, max_ahead: int) -> Part | None:
    """Decode the records that fit the template of the first; None when they are better read in general.

    Only what is plain is read here: one row a record, every value where the first record has it, times
    that can be read and do not lie ahead. The result is that of the general way.
    """
    if len(frame) < _LEAST or (learned := template.learn(frame.data[0].as_py())) is None:
        return None
    matched = template.match(learned, frame.data)
    if matched is None:
        return None
    times = parse_times(matched.values("time")) if matched.has("time") else frame.arrived[matched.record]
    if times is None:
        return None
    plain = times <= frame.arrived[matched.record] + max_ahead
    widths = {}
    for side in ("input", "output"):
        span = matched.span(side)
        widths[side] = bytes(matched.text[span[0, 0] : span[0, 1]]).count(b",") + 1
        plain &= matched.text[span[:, 0]] != _BYTE_ORDER_MARK  # the general way takes it away
        if widths[side] > 1:
            plain &= span[:, 1] > span[:, 0]  # an empty payload is one empty column, not many
    matched, times = matched.keep(plain), times[plain]
    return _part(matched, times, widths, layout) if len(matched) else None


def _part(matched: Matched, times: np.ndarray, widths: dict[str, int], layout: Layout) -> Part | None:
    given, output = matched.lines("input"), matched.lines("output")
    try:
        out_names, in_names = layout.assign(("",) * widths["output"], ("",) * widths["input"])
        outputs = csv_columns(output, out_names, layout)
        inputs = csv_columns(given, in_names, layout)
    except (BadRecord, pa.ArrowInvalid):
        return None  # rows of another width among them
    n = len(matched)
    nothing = pa.nulls(n, pa.string())
    return Part(
        record=matched.record,
        event_time=times,
        event_id=matched.values("event_id") if matched.has("event_id") else nothing,
        inference_id=matched.values("inference_id") if matched.has("inference_id") else nothing,
        bad={},
        tables=assemble(outputs, inputs, layout, matched.record, np.zeros(n, np.int64)),
    )
