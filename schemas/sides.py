"""Input and output of one captured record, before their columns have names."""

from itertools import chain
from typing import Literal

from msgspec import Struct

from schemas import payload
from schemas.capture import CaptureRecord, Payload
from schemas.errors import BadRecord


class Side(Struct, frozen=True, gc=False):
    """One side of one record: CSV text of `rows` rows, JSON rows, or neither where it was not captured.

    `labels` are its unnamed columns, `claimed` the known columns that it names itself.
    """

    labels: tuple[str, ...]
    rows: int
    text: str | None = None
    json: list[payload.Row] | None = None
    claimed: frozenset[str] = frozenset()

    @property
    def form(self) -> Literal["absent", "csv", "json"]:
        """How the side was written."""
        if self.text is not None:
            return "csv"
        return "absent" if self.json is None else "json"


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
    if form == "CSV":
        return _csv_side(text), ABSENT
    found = payload.documents(text)
    if len(found) == 1 and isinstance(found[0], dict) and "SageMakerOutput" in found[0]:
        output = found[0].pop("SageMakerOutput")
        return _json_side(payload.rows_of(found, known), known), _json_side(
            payload.rows_of([output], known), known
        )
    return _json_side(payload.rows_of(found, known), known), ABSENT


def _side(captured: Payload, known: frozenset[str]) -> Side:
    text, form = payload.text_of(captured)
    return _json_side(payload.json_rows(text, known), known) if form == "JSON" else _csv_side(text)


def _csv_side(text: str) -> Side:
    text = text.rstrip("\r\n")
    if '"' in text or "\r" in text:
        rows = payload.csv_rows(text)
        if len(widths := {len(row) for row in rows}) > 1:
            raise BadRecord("payload", f"CSV rows of different widths in one payload: {sorted(widths)}")
        return Side(("",) * len(rows[0]), len(rows), payload.csv_text(rows))
    rows_seen = text.count("\n") + 1
    commas = text.count(",")
    if rows_seen > 1:
        counts = {line.count(",") for line in text.split("\n")}
        if len(counts) > 1:
            seen = sorted(count + 1 for count in counts)
            raise BadRecord("payload", f"CSV rows of different widths in one payload: {seen}")
        commas = counts.pop()
    return Side(("",) * (commas + 1), rows_seen, text)


def _json_side(rows: list[payload.Row], known: frozenset[str]) -> Side:
    if not rows:
        return Side((), 0, json=rows)
    labels = rows[0].labels
    if len(rows) > 1 and any(len(row.placed) != len(labels) for row in rows):
        widths = sorted({len(row.placed) for row in rows})
        raise BadRecord("payload", f"JSON rows of different widths in one payload: {widths}")
    claimed = known.intersection(chain.from_iterable(row.named for row in rows))
    return Side(labels, len(rows), json=rows, claimed=claimed)


def pair(inputs: Side, output: Side) -> tuple[Side, Side]:
    """Both sides with the same number of rows; a list of scalars that could be one row becomes many."""
    counts = {side.rows for side in (inputs, output) if side is not ABSENT}
    if counts == {0}:
        raise BadRecord("payload", "the payload holds no row")
    if len(counts) == 1:
        return inputs, output
    if output.rows == 1 < inputs.rows == len(output.labels) and not any(output.labels):
        return inputs, _transpose(output)
    raise BadRecord("payload", f"{inputs.rows} input rows and {output.rows} output rows in one request")


def _transpose(side: Side) -> Side:
    """One row without names as a column: servers answer many rows with one list."""
    if side.json is not None:
        rows = [payload.Row({}, [value], ("",)) for value in side.json[0].placed]
        return Side(("",), len(rows), json=rows)
    values = payload.csv_rows(side.text or "")[0]
    return Side(("",), len(values), payload.csv_text([value] for value in values))
