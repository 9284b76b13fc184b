"""Input and output of one captured record, before their columns have names."""

import csv
import io

import msgspec
from msgspec import Struct

from schemas import payload
from schemas.capture import CaptureRecord, Payload
from schemas.errors import BadRecord


class Side(Struct, frozen=True):
    """One side of one record: CSV text of `rows` rows, or JSON rows; `labels` are its unnamed columns."""

    labels: tuple[str, ...]
    rows: int
    text: str | None = None
    json: list[payload.Row] = []
    claimed: frozenset[str] = frozenset()


ABSENT = Side((), 0)


def sides_of(record: CaptureRecord, known: frozenset[str]) -> tuple[Side, Side]:
    """(input, output) of one record."""
    data = record.capture_data
    if data.batch_transform_output is not None:
        return _batch_sides(data.batch_transform_output, known)
    inputs = _side(data.endpoint_input, known) if data.endpoint_input else ABSENT
    output = _side(data.endpoint_output, known) if data.endpoint_output else ABSENT
    if inputs is ABSENT and output is ABSENT:
        raise BadRecord("schema", "captureData holds neither endpointInput nor endpointOutput")
    return inputs, output


def _batch_sides(both: Payload, known: frozenset[str]) -> tuple[Side, Side]:
    """A batch transform's line: the prediction under SageMakerOutput when it was joined to its input."""
    text, form = payload.text_of(both)
    if form == "JSON" and '"SageMakerOutput"' in text:
        try:
            document = msgspec.json.decode(text)
            output = msgspec.json.encode(document.pop("SageMakerOutput")).decode()
            inputs = msgspec.json.encode(document).decode()
        except (msgspec.MsgspecError, AttributeError, KeyError) as error:
            raise BadRecord("payload", f"batch transform output: {error}") from error
        return _json_side(inputs, known), _json_side(output, known)
    return _side(both, known), ABSENT


def _side(captured: Payload, known: frozenset[str]) -> Side:
    text, form = payload.text_of(captured)
    return _json_side(text, known) if form == "JSON" else _csv_side(text)


def _csv_side(text: str) -> Side:
    text = text.rstrip("\r\n")
    if '"' in text or "\n\n" in text or "\r" in text:
        rows = payload.csv_rows(text)
        if len(widths := {len(row) for row in rows}) > 1:
            raise BadRecord("payload", f"CSV rows of different widths in one payload: {sorted(widths)}")
        out = io.StringIO()
        csv.writer(out, lineterminator="\n").writerows(rows)
        return Side(("",) * len(rows[0]), len(rows), out.getvalue().rstrip("\n"))
    rows_seen = text.count("\n") + 1
    commas = text.count(",")
    if rows_seen > 1:
        widths = {line.count(",") for line in text.split("\n")}
        if len(widths) > 1:
            seen = sorted(width + 1 for width in widths)
            raise BadRecord("payload", f"CSV rows of different widths in one payload: {seen}")
        commas = widths.pop()
    return Side(("",) * (commas + 1), rows_seen, text)


def _json_side(text: str, known: frozenset[str]) -> Side:
    rows = payload.json_rows(text, known)
    if not rows:
        return Side((), 0, json=[])
    labels = rows[0].labels
    if any(len(row.placed) != len(labels) for row in rows):
        widths = sorted({len(row.placed) for row in rows})
        raise BadRecord("payload", f"JSON rows of different widths in one payload: {widths}")
    claimed = frozenset(name for row in rows for name in row.named if name in known)
    return Side(labels, len(rows), json=rows, claimed=claimed)


def pair(inputs: Side, output: Side) -> tuple[Side, Side]:
    """Both sides with the same number of rows; a list of scalars that could be one row becomes many."""
    if ABSENT in (inputs, output) or inputs.rows == output.rows:
        if not inputs.rows and not output.rows:
            raise BadRecord("payload", "the payload holds no row")
        return inputs, output
    if output.rows == 1 and len(output.labels) == inputs.rows:
        return inputs, _transpose(output)
    raise BadRecord("payload", f"{inputs.rows} input rows and {output.rows} output rows in one request")


def _transpose(side: Side) -> Side:
    values = side.json[0].placed if side.json else payload.csv_rows(side.text or "")[0]
    if side.json:
        return Side(("",), len(values), json=[payload.Row({}, [value], ("",)) for value in values])
    return Side(("",), len(values), "\n".join(values))
