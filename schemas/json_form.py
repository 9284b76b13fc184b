"""JSON payloads of one form, as they stand escaped in a capture: the same keys, only the values differ."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from msgspec import Struct
from numpy.typing import NDArray

from schemas import spans
from schemas.columns import Column, json_numbers
from schemas.spans import Bytes
from schemas.template import MAX_SEARCHED, plain

_TOKEN = re.compile(
    rb'\\"(?P<text>[^"\\]*)\\"(?P<key>\s*:)?|(?P<bare>-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?|null|true|false)'
)

_MARK = r'[,"\\]'


class JsonForm(Struct, frozen=True):
    """What the payloads of one form have in common.

    `constants` are the escaped bytes between the values, one more than there are of those; `texts` says
    which values are strings (their quotation marks belong to the constants), `sizes` how long they were.
    """

    constants: list[bytes]
    texts: list[bool]
    sizes: list[int]

    def find(self, text: Bytes, whole: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """Spans of the values of each payload, shape (payloads, values, 2), and which payloads fit.

        `whole` are the payloads' own spans, shape (payloads, 2). Every byte that is not of a value has been
        compared.
        """
        places = np.empty((len(whole), len(self.sizes), 2), np.int64)
        fits = np.ones(len(whole), np.bool_)
        at = whole[:, 0]
        for number, constant in enumerate(self.constants[:-1]):
            fits &= spans.same(text, at, constant)
            places[:, number, 0] = at + len(constant)
            mark = self.constants[number + 1][0]
            at = spans.first(text, places[:, number, 0], mark, 2 * self.sizes[number] + 24)
            places[:, number, 1] = at
        fits &= spans.same(text, at, self.constants[-1])
        fits &= at + len(self.constants[-1]) == whole[:, 1]
        return places, fits

    def values(
        self, text: Bytes, places: NDArray[np.int64], types: Mapping[str, pa.DataType]
    ) -> tuple[dict[str, Column], NDArray[np.bool_]]:
        """The values at `places`, as columns with these names and types, and which payloads hold no other
        than plain ones: numbers where numbers are wanted, strings without a mark or escape of their own."""
        columns: dict[str, pa.Array] = {}
        bare = [number for number, is_text in enumerate(self.texts) if not is_text]
        wanted = {name: kind for name, kind in types.items() if kind != pa.string()}
        good = np.ones(len(places), np.bool_)
        if bare:
            lines, good = _lines(text, places[:, bare])
            numbers, fits = json_numbers(lines, wanted)
            columns |= zip(wanted, numbers, strict=True)
            good &= fits
        for number, name in enumerate(types):
            if self.texts[number]:
                columns[name] = spans.cut(text, places[:, number]).view(pa.string())
                good &= plain(columns[name])
        return {name: Column(columns[name], kind) for name, kind in types.items()}, good


def _lines(text: Bytes, places: NDArray[np.int64]) -> tuple[bytearray, NDArray[np.bool_]]:
    """What should be numbers, as lines of comma-separated values, and which lines have no other mark in them.
    In the place of the others is a line that has none."""
    count, width, _ = places.shape
    order = [*range(width)]
    lines = spans.joined(text, places, order)
    commas = np.count_nonzero(np.frombuffer(lines, np.uint8) == ord(","))
    if commas == count * (width - 1) and b'"' not in lines and b"\\" not in lines:
        return lines, np.ones(count, np.bool_)
    marked = [pc.match_substring_regex(spans.cut(text, places[:, i]), _MARK) for i in order]
    good = ~np.any([np.asarray(marks) for marks in marked], axis=0)
    if not good.any():
        return bytearray((b"null," * width)[:-1] + b"\n") * count, good
    places = np.where(good[:, None, None], places, places[np.argmax(good)])
    return _lines(text, places)[0], good


def learn(sample: bytes, values: Sequence[Any]) -> JsonForm | None:
    """The form of an escaped payload whose scalars are `values`, in their order; None when it has none."""
    constants, texts, sizes, seen = [], [], [], []
    end = 0
    for token in _TOKEN.finditer(sample):
        if token["key"] is not None:
            continue
        name = "bare" if token["text"] is None else "text"
        start, stop = token.span(name)
        constants.append(sample[end:start])
        texts.append(name == "text")
        sizes.append(stop - start)
        seen.append(token["text"].decode() if name == "text" else msgspec.json.decode(token["bare"]))
        end = stop
    constants.append(sample[end:])
    whole = all(constants) and max(sizes, default=0) <= MAX_SEARCHED and b"\\\\" not in sample
    same_kinds = [*map(type, seen)] == [*map(type, values)]
    return JsonForm(constants, texts, sizes) if whole and seen == [*values] and same_kinds else None
