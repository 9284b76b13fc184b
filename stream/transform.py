"""Batch-transform captures as capture records: outputs with inference ids, and the manifests that name them.

Sources: SageMaker's guide on batch transform data capture. A manifest is a JSON array, first
`{"prefix": ...}`, then object names; input and output manifests of one job share their name, under
`input/` and `output/`.
"""

import base64
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from schemas.errors import SourceError

Reader = Callable[[str], bytes | None]  # the content of an object, None when there is none
Objects = dict[str, list[bytes]]  # the lines of each object that a manifest names

_ID_AND_TIME = re.compile(rb",([0-9a-fA-F-]{36}),([^,\"]+)$")  # the columns that GenerateInferenceId adds
_MANIFEST = re.compile(
    r"((?:.*/)?)(input|output)(/(?:(\d{4})/(\d{2})/(\d{2})/(\d{2})/)?[^/]+\.json(?:\.gz)?)$"
)
_ID, _TIME, _JOINED = "SageMakerInferenceId", "SageMakerInferenceTime", "SageMakerOutput"


def is_document(name: str) -> bool:
    """Whether a file is read whole: one JSON document, not lines."""
    return name.endswith(".json")


def is_manifest(path: str) -> bool:
    """Whether a file lies where batch transforms put their manifests."""
    return _MANIFEST.match(path) is not None


def to_captures(
    name: str, lines: pa.BinaryArray, numbers: Sequence[int] | NDArray[np.uint32]
) -> pa.BinaryArray:
    """Lines of a capture file as capture records; those of a transform's output are wrapped as such.

    `numbers` are the lines' numbers in the file: the event ids of lines that have none of their own.
    """
    if name.endswith(".out"):
        wrapped = [_of_output(line, name, n) for line, n in zip(lines.to_pylist(), numbers, strict=True)]
        return pa.array(wrapped, pa.binary())
    bare = pc.and_(
        pc.match_substring(lines, f'"{_ID}"'), pc.invert(pc.match_substring(lines, '"captureData"'))
    )
    if not pc.any(bare).as_py():
        return lines
    each = zip(lines.to_pylist(), numbers, bare.to_pylist(), strict=True)
    return pa.array(
        [_of_output(line, name, n) if is_bare else line for line, n, is_bare in each], pa.binary()
    )


def document(path: str, text: bytes, read: Reader) -> tuple[pa.BinaryArray, NDArray[np.uint32]]:
    """Records of a JSON document and, for each, the line that its message should name (0: none).

    Lines in a file that is called .json are read as lines. What is neither is one record, so that it is
    refused with its reason like any other.

    Raises SourceError when a manifest cannot be followed.
    """
    if not text.strip():
        return pa.array([], pa.binary()), np.zeros(0, np.uint32)
    try:
        content = msgspec.json.decode(text)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        lines = {n: line for n, line in enumerate(text.splitlines(), 1) if line.strip()}
        if not any(map(_is_object, lines.values())):
            lines = {1: text}
        return pa.array(lines.values(), pa.binary()), np.array([*lines], np.uint32)
    if isinstance(content, list) and content and isinstance(content[0], dict) and "prefix" in content[0]:
        records = list(_of_manifest(path, content, read))
        return pa.array(records, pa.binary()), np.zeros(len(records), np.uint32)
    items = content if isinstance(content, list) else [content]
    return pa.array(map(msgspec.json.encode, items), pa.binary()), np.ones(len(items), np.uint32)


def _is_object(line: bytes) -> bool:
    """Whether a line is a JSON object by itself, and not an empty one, as a pretty-printed file may hold."""
    try:
        return bool(msgspec.json.decode(line, type=dict[str, msgspec.Raw]))
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return False


def _of_manifest(path: str, content: Sequence[Any], read: Reader) -> Iterator[bytes]:
    """Records of the objects that a manifest names, each output line beside its input line."""
    place = _MANIFEST.match(path)
    when = "{}-{}-{}T{}:00:00Z".format(*place.group(4, 5, 6, 7)) if place and place[4] else None
    if place and place[2] == "input":
        if read(f"{place[1]}output{place[3]}") is None:
            yield from _records(_objects(path, content, read), {}, when)
        return  # else it is read with its output
    outputs = _objects(path, content, read)
    twin = f"{place[1]}input{place[3]}" if place else ""
    text = read(twin) if place else None
    inputs = {} if text is None else _objects(twin, _decoded(twin, text), read)
    for name, lines in outputs.items():
        given = inputs.get(_input_of(name, inputs), lines)
        if len(given) != len(lines):
            raise SourceError(f"{path}: {name} has {len(lines)} lines and its input {len(given)}")
    yield from _records(inputs, outputs, when)


def _decoded(path: str, text: bytes) -> Any:
    try:
        return msgspec.json.decode(text)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise SourceError(f"{path}: not a manifest: {error}") from error


def _objects(path: str, content: Any, read: Reader) -> Objects:
    """The lines of every object that a manifest names."""
    try:
        first, *names = content
        prefix = first["prefix"]
    except (TypeError, ValueError, KeyError) as error:
        raise SourceError(f'{path}: not a manifest: no list of {{"prefix": ...}} and names') from error
    objects: Objects = {}
    for name in names:
        text = read(f"{prefix}{name}")
        if text is None:
            raise SourceError(f"{path}: names {prefix}{name}, which is not there")
        objects[str(name)] = [line for line in text.splitlines() if line.strip()]
    return objects


def _input_of(output: str, inputs: Objects) -> str:
    """The name that the input of an output object has: a transform writes x.csv.out for x.csv."""
    bare = output.removesuffix(".out")
    return bare if bare in inputs else output


def _records(inputs: Objects, outputs: Objects, when: str | None) -> Iterator[bytes]:
    """Capture records line by line; an input without an output, or the other way round, stands alone."""
    for name, lines in outputs.items():
        given: Sequence[bytes | None] = inputs.get(_input_of(name, inputs)) or [None] * len(lines)
        for number, (line, output) in enumerate(zip(given, lines, strict=True), 1):
            yield _pair(line, output, f"{name}:{number}", when)
    answered = {_input_of(name, inputs) for name in outputs}
    for name, lines in inputs.items():
        for number, line in enumerate(lines if name not in answered else [], 1):
            yield _pair(line, None, f"{name}:{number}", when)


def _pair(given: bytes | None, output: bytes | None, where: str, when: str | None) -> bytes:
    """A capture record of an input line and an output line."""
    about: dict[str, str] = {"eventId": where} | ({"inferenceTime": when} if when else {})
    sides: dict[str, Any] = {}
    if output is not None:
        ids, output = _split_ids(output)
        about |= ids
        if f'"{_JOINED}"'.encode() in output:  # the transform joined the input to it already
            sides["batchTransformOutput"] = _payload(output)
            return _record(sides, about)
    if given is not None:
        sides["endpointInput"] = _payload(given)
    if output is not None:
        sides["endpointOutput"] = _payload(output)
    return _record(sides, about)


def _of_output(line: bytes, name: str, number: int) -> bytes:
    """A capture record of one line of a transform's output, in the form that AWS's merge gives it."""
    if line.lstrip().startswith(b"{") and b'"captureData"' in line:
        return line
    ids, output = _split_ids(line)
    about = {"eventId": f"{name.rpartition('/')[2]}:{number}"} | ids
    return _record({"batchTransformOutput": _payload(output)}, about)


def _record(sides: dict[str, Any], about: dict[str, str]) -> bytes:
    return msgspec.json.encode({"captureData": sides, "eventMetadata": about, "eventVersion": "0"})


def _payload(line: bytes) -> dict[str, str]:
    """A line as a payload. What is no text goes in base64: it is refused for that, and kept as it was."""
    try:
        is_json = line.lstrip()[:1] in (b"{", b"[")
        return {"data": line.decode(), "encoding": "JSON" if is_json else "CSV"}
    except UnicodeDecodeError:
        return {"data": base64.b64encode(line).decode(), "encoding": "BASE64"}


def _split_ids(line: bytes) -> tuple[dict[str, str], bytes]:
    """Id and time that the transform added to a line, as a capture's metadata names them, and the rest."""
    if match := _ID_AND_TIME.search(line):
        return {"eventId": match[1].decode(), "inferenceTime": match[2].decode()}, line[: match.start()]
    if f'"{_ID}"'.encode() not in line:
        return {}, line
    try:
        content = msgspec.json.decode(line, type=dict[str, msgspec.Raw])  # raw: numbers keep their digits
        ids = {"eventId": _text(content.pop(_ID))}
        if _TIME in content:
            ids["inferenceTime"] = _text(content.pop(_TIME))
    except (msgspec.MsgspecError, UnicodeDecodeError, KeyError):
        return {}, line
    return ids, msgspec.json.encode(content)


def _text(value: msgspec.Raw) -> str:
    return str(msgspec.json.decode(value))
