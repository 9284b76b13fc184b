"""Decoding of records that are alike: payloads of one form in envelopes of one form, found by a template."""

from collections.abc import Mapping

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from msgspec import Struct
from numpy.typing import NDArray

from schemas import capture, json_form, spans, template
from schemas.columns import Column, csv_columns, type_of
from schemas.errors import BadRecord
from schemas.frame import Frame
from schemas.json_form import JsonForm
from schemas.layout import Layout
from schemas.rows import Part, assemble
from schemas.sides import Side, pair, sides_of
from schemas.template import Matched, Template, plain
from schemas.times import parse_seconds, parse_times

_BYTE_ORDER_MARK = 0xEF  # its first byte in UTF-8
_TIME = r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{3}(?:\d{3})?)?Z$"
_SECONDS = len("2025-03-04T10:02:11Z")
_LEAST = 16  # records worth learning a template for
_SIDES = ("output", "input")
_IDS = ("event_id", "inference_id")


class _Form(Struct, frozen=True):
    """How records of one form are read: the names of each side's values, in their order, and for a JSON side
    where those stand; `named`, whether it is the records that name them."""

    template: Template
    names: Mapping[str, list[str]]
    json: Mapping[str, JsonForm]
    named: bool

    @property
    def csv(self) -> list[str]:
        """The sides that are CSV."""
        return [side for side in _SIDES if side not in self.json]


def read(frame: Frame, indices: NDArray[np.int64], layout: Layout, max_ahead: int) -> Part | None:
    """Decode those of the records at `indices` that have the form of one of them; None when none is read.

    Only what is plain is read here: one row a record, every value where that record has it, times that can
    be read and do not lie ahead. The result is that of the general way.
    """
    if len(indices) < _LEAST:
        return None
    records = frame.data if len(indices) == len(frame) else frame.data.take(pa.array(indices))
    form = _learn(records, layout)
    matched = template.match(form.template, records) if form else None
    if form is None or matched is None or not len(matched := matched.keep(_plain(matched, form))):
        return None
    matched = msgspec.structs.replace(matched, record=indices[matched.record])
    matched, times = _times(matched, frame.arrived)
    in_time = times <= frame.arrived[matched.record] + max_ahead
    return _part(matched.keep(in_time), times[in_time], form, layout)


def _learn(records: pa.BinaryArray, layout: Layout) -> _Form | None:
    """The form of the first record or, where that is an unusual one, of one of two others."""
    for index in (0, len(records) // 2, len(records) - 1):
        record = records[index].as_py()
        learned = template.learn(record)
        if learned is not None and (form := _form(learned, record, layout)) is not None:
            return form
    return None


def _form(learned: Template, record: bytes, layout: Layout) -> _Form | None:
    parsed = capture.parse(record)
    data = parsed.capture_data
    known = frozenset(layout.columns)
    try:
        inputs, output = pair(*sides_of(parsed, known))
        names = _names(inputs, output, layout)
    except BadRecord:
        return None
    forms: dict[str, JsonForm] = {}
    for side, found, payload in (
        ("output", output, data.endpoint_output),
        ("input", inputs, data.endpoint_input),
    ):
        sample = learned.samples[learned.names.index(side)]
        if payload is None or found.rows != 1 or payload.encoding != found.form.upper():
            return None
        if found.json is None:
            if b'"' in sample or b"\\" in sample:
                return None
            continue
        form = json_form.learn(sample, [*found.json[0].named.values(), *found.json[0].placed])
        if form is None or not _typed_as_wanted(form, names[side], layout):
            return None
        forms[side] = form
    return _Form(learned, names, forms, bool(inputs.claimed or output.claimed))


def _names(inputs: Side, output: Side, layout: Layout) -> dict[str, list[str]]:
    """The names of each side's values; those that JSON names come before those that have only a place."""
    claimed = inputs.claimed | output.claimed
    placed = bool(inputs.labels or output.labels)
    given = layout.assign(output.labels, inputs.labels, claimed) if placed else ([], [])
    return {
        side: [*(found.json[0].named if found.json else ()), *names]
        for side, found, names in zip(_SIDES, (output, inputs), given, strict=True)
    }


def _typed_as_wanted(form: JsonForm, names: list[str], layout: Layout) -> bool:
    """Whether strings stand where text is wanted, and numbers where numbers are."""
    return [type_of(name, layout) == pa.string() for name in names] == form.texts


def _plain(matched: Matched, form: _Form) -> NDArray[np.bool_]:
    """Which records have outputs of the usual width where their inputs are CSV as well: a column too many
    there and one too few here would not be seen when both are read as one."""
    fits = np.ones(len(matched), np.bool_)
    if form.csv == [*_SIDES]:
        fits &= _width(matched.values("output")) == len(form.names["output"])
    for side in form.csv:  # the general way takes it away
        fits &= matched.text[matched.span(side)[:, 0]] != _BYTE_ORDER_MARK
    return fits


def _width(csv: pa.StringArray) -> NDArray[np.int64]:
    if b"," not in csv.buffers()[2].to_pybytes():
        return np.ones(len(csv), np.int64)
    return np.asarray(pc.count_substring(csv, ","), np.int64) + 1


def _times(matched: Matched, arrived: NDArray[np.int64]) -> tuple[Matched, NDArray[np.int64]]:
    """Event times of the records, without those records that have an unusual one."""
    if not matched.has("time"):
        return matched, arrived[matched.record]
    span = matched.span("time")
    if (span[:, 1] - span[:, 0] == _SECONDS).all():
        times = parse_seconds(spans.window(matched.text, span[:, 0], _SECONDS))
        if times is not None:
            return matched, times
    texts = matched.values("time")
    times = parse_times(texts)
    if times is None:
        usual = np.asarray(pc.match_substring_regex(texts, _TIME))
        matched, times = matched.keep(usual), parse_times(texts.filter(pa.array(usual)))
    if times is None:
        return matched.keep(np.zeros(len(matched), np.bool_)), np.empty(0, np.int64)
    return matched, times


def _part(matched: Matched, times: NDArray[np.int64], form: _Form, layout: Layout) -> Part | None:
    places = {}
    fits = np.ones(len(matched), np.bool_)
    for side, inner in form.json.items():
        places[side], found = inner.find(matched.text, matched.span(side))
        fits &= found
    matched, times = matched.keep(fits), times[fits]
    if not len(matched):
        return None
    columns = _csv_columns(matched, form, layout)
    if columns is None:
        usual = np.all([_usual(matched.values(s), len(form.names[s])) for s in form.csv], axis=0)
        return None if usual.all() else _part(matched.keep(usual), times[usual], form, layout)
    good = np.ones(len(matched), np.bool_)
    for side, inner in form.json.items():
        types = {name: type_of(name, layout) for name in form.names[side]}
        columns[side], which = inner.values(matched.text, places[side][fits], types)
        good &= which
    return _assembled(matched, times, columns, good, form, layout)


def _usual(csv: pa.StringArray, width: int) -> NDArray[np.bool_]:
    usual: NDArray[np.bool_] = plain(csv) & (_width(csv) == width)
    return usual


def _csv_columns(matched: Matched, form: _Form, layout: Layout) -> dict[str, dict[str, Column]] | None:
    """Columns of each side that is CSV, all read as one; None when they cannot be, because there are
    quotation marks, escapes or rows of another width among them."""
    columns: dict[str, dict[str, Column]] = {side: {} for side in _SIDES}
    if not form.csv:
        return columns
    lines = matched.lines(form.csv)
    if b'"' in lines or b"\\" in lines:
        return None
    try:
        every = csv_columns(lines, [name for side in form.csv for name in form.names[side]], layout)
    except pa.ArrowInvalid:
        return None
    return columns | {side: {name: every[name] for name in form.names[side]} for side in form.csv}


def _assembled(
    matched: Matched,
    times: NDArray[np.int64],
    columns: Mapping[str, Mapping[str, Column]],
    good: NDArray[np.bool_],
    form: _Form,
    layout: Layout,
) -> Part | None:
    """The part that these columns are, without records that are not `good` or whose ids are not plain."""
    ids = {name: matched.values(name) for name in _IDS if matched.has(name)}
    good = np.all([good, *map(plain, ids.values())], axis=0)
    if not good.all():
        matched, times, rows = matched.keep(good), times[good], np.flatnonzero(good)
        ids = {name: values.take(pa.array(rows)) for name, values in ids.items()}
        columns = {
            side: {name: column.only(rows) for name, column in of_side.items()}
            for side, of_side in columns.items()
        }
    n = len(matched)
    if not n:
        return None
    event_id, inference_id = (ids.get(name, pa.nulls(n, pa.string())) for name in _IDS)
    row = np.zeros(n, np.int64)
    tables = assemble(columns["output"], columns["input"], layout, matched.record, row, form.named)
    return Part(matched.record, times, event_id, inference_id, {}, tables)
