"""Classes as text that is equal where they are: `1`, `1.0`, `"1"` and `True` are one class."""

import re
from collections.abc import Iterable, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

_NUMBER = re.compile(r"[+-]?(?:0|[1-9]\d*)(?:\.\d*)?(?:[eE][+-]?\d+)?", re.ASCII)
_WORDS = {"true": "1", "false": "0"}
_MISSING = ("", "nan")  # in any case
MISSING = -1
_LONGEST = 256  # characters of a class: what is longer is cut, because a state must stay small
_EXACT = 2.0**53  # the largest whole number that a double holds with all those below it


def normalised(value: object) -> str | None:
    """The one text of a class; None where there is none (empty, null, NaN).

    Numbers are written in their shortest form, truth values as 1 and 0. Text with leading zeros is no number.

    >>> [normalised(value) for value in (1, 1.0, "1", " 1.00 ", '"1"', True, "True", "1e0")]
    ['1', '1', '1', '1', '1', '1', '1', '1']
    >>> [normalised(value) for value in ("007", 2.5, "-0.0", "Yes", "", float("nan"), None)]
    ['007', '2.5', '0', 'Yes', None, None, None]
    """
    if value is None:
        return None
    text = str(value).strip()
    if len(text) > 1 and text[0] == text[-1] == '"':
        text = text[1:-1].strip()
    if text.lower() in _MISSING:
        return None
    if len(text) > _LONGEST or not _NUMBER.fullmatch(text):
        return _WORDS.get(text.lower(), text[:_LONGEST].rstrip())
    number = float(text)
    if abs(number) >= _EXACT:  # an id, or infinite as a double: two that differ must not become one
        return text
    return str(int(number)) if number.is_integer() else repr(number)


def codes(column: pa.Array) -> tuple[NDArray[np.int64], list[str]]:
    """Classes of a column, shape (rows,), as places in the list that comes with it; MISSING where none.

    >>> found, names = codes(pa.array(["1", "0", None, "1.0"]))
    >>> found.tolist(), names
    ([0, 1, -1, 0], ['1', '0'])
    """
    encoded = column.dictionary_encode()
    places: dict[str, int] = {}
    table = [_place(normalised(value), places) for value in encoded.dictionary.to_pylist()]
    at = np.asarray(pc.fill_null(encoded.indices, len(table)))
    return np.array([*table, MISSING], np.int64)[at], list(places)


def classes(column: pa.Array) -> pa.StringArray:
    """Classes of a column, shape (rows,), each as its one text.

    >>> classes(pa.array([1.0, None, 0.5])).to_pylist()
    ['1', None, '0.5']
    """
    encoded = column.dictionary_encode()
    names = [normalised(value) for value in encoded.dictionary.to_pylist()]
    return pa.array(names, pa.string()).take(encoded.indices)


def _place(name: str | None, places: dict[str, int]) -> int:
    return MISSING if name is None else places.setdefault(name, len(places))


def in_order(names: Iterable[str]) -> list[str]:
    """Classes in their order: numbers by size, then other texts.

    >>> in_order(["10", "9", "no", "-1"])
    ['-1', '9', '10', 'no']
    """
    return sorted(names, key=lambda name: (0, float(name), name) if _is_number(name) else (1, 0.0, name))


def positive_of(names: Sequence[str]) -> str:
    """Which of two classes is the positive one, where nobody says: `1` where it is one of them, else the last
    in their order. Where there is none, `1`.

    >>> positive_of(["yes", "no"]), positive_of(["1", "2"]), positive_of([])
    ('yes', '1', '1')
    """
    return "1" if "1" in names or not names else in_order(names)[-1]


def _is_number(name: str) -> bool:
    return _NUMBER.fullmatch(name) is not None


def numbers(column: pa.Array) -> NDArray[np.float64]:
    """Values of a column as doubles, shape (rows,); NaN where it is missing or no number.

    >>> numbers(pa.array(["1", " 2.5", "many", None])).tolist()
    [1.0, 2.5, nan, nan]
    """
    if not (pa.types.is_string(column.type) or pa.types.is_large_string(column.type)):
        return np.asarray(column.cast(pa.float64()).fill_null(np.nan))
    try:
        return np.asarray(column.cast(pa.float64()).fill_null(np.nan))
    except pa.ArrowInvalid:
        return np.array([_number(value) for value in column.to_pylist()], np.float64)


def _number(value: str | None) -> float:
    try:
        return float("nan") if value is None else float(value)
    except ValueError:
        return float("nan")
