"""What callers send and get back, as CSV, JSON or JSON Lines, and the capture record around it."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from model import FEATURES, OUTPUTS

Row = Sequence[Any]  # str, int, float, or None where a value is missing


@dataclass(frozen=True, slots=True)
class Form:
    """One way to write rows, and its `share` of the requests; `dump` gives the text of request and answer."""

    share: float
    request_type: str
    response_type: str
    encoding: str
    dump: Callable[[Sequence[Row], Sequence[Row]], tuple[str, str]]


def capture_line(
    form: Form, inputs: Sequence[Row], outputs: Sequence[Row], *, event_id: str, inference_id: str, at: str
) -> str:
    """One record as SageMaker data capture writes it, without its newline. `at` is the event time, `...Z`."""
    request, response = form.dump(inputs, outputs)
    record = {
        "captureData": {
            "endpointInput": {
                "observedContentType": form.request_type,
                "mode": "INPUT",
                "data": request,
                "encoding": form.encoding,
            },
            "endpointOutput": {
                "observedContentType": form.response_type,
                "mode": "OUTPUT",
                "data": response,
                "encoding": form.encoding,
            },
        },
        "eventMetadata": {"eventId": event_id, "inferenceId": inference_id, "inferenceTime": at},
        "eventVersion": "0",
    }
    return json.dumps(record, separators=(",", ":"))


def _csv(inputs: Sequence[Row], outputs: Sequence[Row]) -> tuple[str, str]:
    """A missing value is an empty cell.

    >>> _csv([("UA", 1400, None), ("B6", 944, 39.02)], [(0, 0.25), (1, 0.75)])
    ('UA,1400,\\nB6,944,39.02', '0,0.25\\n1,0.75')
    """
    return _cells(inputs), _cells(outputs)


def _cells(rows: Sequence[Row]) -> str:
    return "\n".join(",".join("" if cell is None else str(cell) for cell in row) for row in rows)


def _json(inputs: Sequence[Row], outputs: Sequence[Row]) -> tuple[str, str]:
    """Names with every value; a missing value is null.

    >>> _json([], [(0, 0.25)])
    ('{"instances": []}', '{"predictions": [{"late": 0, "probability": 0.25}]}')
    """
    request = json.dumps({"instances": _named(FEATURES, inputs)})
    return request, json.dumps({"predictions": _named(OUTPUTS, outputs)})


def _json_lines(inputs: Sequence[Row], outputs: Sequence[Row]) -> tuple[str, str]:
    """An object a line; as on real endpoints, the answer ends with a newline and the request does not.

    >>> _json_lines([], [(0, 0.25)])
    ('', '{"late": 0, "probability": 0.25}\\n')
    """
    request = "\n".join(map(json.dumps, _named(FEATURES, inputs)))
    return request, "".join(json.dumps(row) + "\n" for row in _named(OUTPUTS, outputs))


def _named(names: Sequence[str], rows: Sequence[Row]) -> list[dict[str, Any]]:
    return [dict(zip(names, row, strict=True)) for row in rows]


FORMS = (
    Form(0.60, "text/csv", "text/csv; charset=utf-8", "CSV", _csv),
    Form(0.25, "application/json", "application/json", "JSON", _json),
    Form(0.15, "application/jsonlines", "application/jsonlines", "JSON", _json_lines),
)
