"""Batch-transform captures as capture records: outputs with inference ids, and the manifests that name them.

Sources: SageMaker's guide on batch transform data capture. A manifest is a JSON array, first
`{"prefix": ...}`, then object names; input and output manifests of one job share their name, under
`input/` and `output/`.
"""

import re
from collections.abc import Callable, Sequence
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from schemas.errors import SourceError

Reader = Callable[[str], bytes | None]  # the content of an object, None when there is none

_ID_AND_TIME = re.compile(rb",([0-9a-fA-F-]{36}),([^,\"]+)$")  # the columns that GenerateInferenceId adds
_HOUR = re.compile(r"/(\d{4})/(\d{2})/(\d{2})/(\d{2})/[^/]+$")


def is_document(name: str) -> bool:
    """Whether a file is read whole: one JSON document, not lines."""
    return name.endswith(".json")


def to_captures(name: str, lines: pa.BinaryArray) -> pa.BinaryArray:
    """Lines of a capture file as capture records; those of a transform's output are wrapped as such."""
    if name.endswith(".out"):
        return pa.array([_of_output(line, name, i) for i, line in enumerate(lines.to_pylist())], pa.binary())
    bare = pc.and_(
        pc.match_substring(lines, '"SageMakerInferenceId"'),
        pc.invert(pc.match_substring(lines, '"captureData"')),
    )
    if not pc.any(bare).as_py():
        return lines
    wrapped = [
        _of_output(line, name, index) if is_bare else line
        for index, (line, is_bare) in enumerate(zip(lines.to_pylist(), bare.to_pylist(), strict=True))
    ]
    return pa.array(wrapped, pa.binary())


def document(path: str, text: bytes, read: Reader) -> tuple[pa.BinaryArray, NDArray[np.uint32]]:
    """Records of a JSON document and, for each, the line that its message should name (0: none).

    A document that is not JSON is one record, so that it is refused with its reason like any other.
    Raises SourceError when a manifest names an object that is not there.
    """
    lines = [line for line in text.splitlines() if line.strip()]
    try:
        content = msgspec.json.decode(text)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        many = len(lines) > 1 and all(line.lstrip().startswith(b"{") for line in lines)
        records = lines if many else [text] if text.strip() else []  # lines in a file that is called .json
        return pa.array(records, pa.binary()), np.arange(1, len(records) + 1, dtype=np.uint32)
    if isinstance(content, list) and content and isinstance(content[0], dict) and "prefix" in content[0]:
        records = _of_manifest(path, content, read)
        return pa.array(records, pa.binary()), np.zeros(len(records), np.uint32)
    items = content if isinstance(content, list) else [content]
    records = [msgspec.json.encode(item) for item in items]
    return pa.array(records, pa.binary()), np.ones(len(records), np.uint32)


def _of_manifest(path: str, manifest: Sequence[Any], read: Reader) -> list[bytes]:
    """Records of the objects that a manifest names, each output line beside its input line."""
    if "/input/" in path and read(path.replace("/input/", "/output/")) is not None:
        return []  # read with its output
    sides = {"endpointOutput" if "/output/" in path else "endpointInput": _objects(path, manifest, read)}
    twin = path.replace("/output/", "/input/")
    if twin != path and (text := read(twin)) is not None:
        sides["endpointInput"] = _objects(twin, msgspec.json.decode(text), read)
    output = sides.get("endpointOutput")
    inputs = sides.get("endpointInput", {})
    records: list[bytes] = []
    for name, lines in (output if output is not None else inputs).items():
        paired = inputs.get(name.removesuffix(".out"), inputs.get(name)) if output is not None else None
        if paired is not None and len(paired) != len(lines):
            raise SourceError(f"{path}: {name} has {len(lines)} lines and its input {len(paired)}")
        for index, line in enumerate(lines):
            where = f"{name}:{index + 1}"
            given = line if output is None else paired[index] if paired is not None else None
            records.append(_pair(given, line if output is not None else None, where, _hour(path)))
    return records


def _objects(path: str, manifest: Sequence[Any], read: Reader) -> dict[str, list[bytes]]:
    prefix, *names = manifest
    objects: dict[str, list[bytes]] = {}
    for name in names:
        place = f"{prefix['prefix']}{name}"
        content = read(place)
        if content is None:
            raise SourceError(f"{path}: names {place}, which is not there")
        objects[name] = [line for line in content.splitlines() if line.strip()]
    return objects


def _hour(path: str) -> str | None:
    match = _HOUR.search(path)
    return "{}-{}-{}T{}:00:00Z".format(*match.groups()) if match else None


def _pair(given: bytes | None, output: bytes | None, where: str, when: str | None) -> bytes:
    """A capture record of an input line and an output line."""
    sides: dict[str, Any] = {}
    about: dict[str, str] = {"eventId": where} | ({"inferenceTime": when} if when else {})
    if given is not None:
        sides["endpointInput"] = _payload(given)
    if output is not None:
        about |= _ids(output)
        sides["endpointOutput"] = _payload(_without_ids(output))
    return msgspec.json.encode({"captureData": sides, "eventMetadata": about, "eventVersion": "0"})


def _of_output(line: bytes, name: str, index: int) -> bytes:
    """A capture record of one line of a transform's output, in the form that AWS's merge gives it."""
    if line.lstrip().startswith(b"{") and b'"captureData"' in line:
        return line
    record = {
        "captureData": {"batchTransformOutput": _payload(_without_ids(line))},
        "eventMetadata": {"eventId": f"{name.rpartition('/')[2]}:{index + 1}"} | _ids(line),
        "eventVersion": "0",
    }
    return msgspec.json.encode(record)


def _payload(line: bytes) -> dict[str, str]:
    is_json = line.lstrip()[:1] in (b"{", b"[")
    return {"data": line.decode("utf-8", "replace"), "encoding": "JSON" if is_json else "CSV"}


def _ids(line: bytes) -> dict[str, str]:
    """Id and time that the transform added, as a capture's metadata names them."""
    if match := _ID_AND_TIME.search(line):
        return {"eventId": match[1].decode(), "inferenceTime": match[2].decode()}
    try:
        content = msgspec.json.decode(line)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return {}
    if not isinstance(content, dict) or "SageMakerInferenceId" not in content:
        return {}
    ids = {"eventId": str(content["SageMakerInferenceId"])}
    if "SageMakerInferenceTime" in content:
        ids["inferenceTime"] = str(content["SageMakerInferenceTime"])
    return ids


def _without_ids(line: bytes) -> bytes:
    if b'"SageMakerInferenceId"' not in line:
        return _ID_AND_TIME.sub(b"", line)
    try:
        content = msgspec.json.decode(line)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return line
    if not isinstance(content, dict):
        return line
    kept = {k: v for k, v in content.items() if k not in ("SageMakerInferenceId", "SageMakerInferenceTime")}
    return msgspec.json.encode(kept)
