"""JSON data sets as Clarify has them: features and labels at JMESPath places, names in the configuration."""

from pathlib import Path
from typing import Any

import jmespath
import msgspec
import pyarrow as pa

from schemas.analysis_config import AnalysisConfig
from schemas.errors import ConfigError, SourceError
from stream.dataset import UNREADABLE, content, form, items


def read(data: Path, config: Path, named: AnalysisConfig) -> pa.Table | None:
    """The table of a JSON file whose `features` are at a place that the configuration gives; None where it
    gives none. Raises ConfigError and SourceError.
    """
    places = _places(config) if form(data) == "JSON" and not config.name.endswith(".toml") else {}
    if "features" not in places:
        return None
    if not named.headers:
        raise ConfigError(f"{config}: headers must name the features")
    try:
        documents = items(content(data))
        found = {key: _search(place, documents) for key, place in places.items()}
    except (*UNREADABLE, jmespath.exceptions.JMESPathError) as error:
        raise SourceError(f"{data}: {error}") from error
    labels = {"label": named.label, "predicted_label": named.predicted}
    beside = {labels[key]: found[key] for key in labels if key in found and labels[key]}
    names = [name for name in named.headers if name not in beside]
    rows = found["features"]
    if odd := {len(row) if isinstance(row, list) else 0 for row in rows} - {len(names)}:
        raise SourceError(f"{data}: a row has {min(odd)} features, and headers name {len(names)}")
    if uneven := [name for name, column in beside.items() if len(column) != len(rows)]:
        raise SourceError(f"{data}: {len(rows)} rows, and not as many of {', '.join(map(str, uneven))}")
    columns = dict(zip(names, zip(*rows, strict=True), strict=False)) | beside
    try:
        return pa.table({name: pa.array(list(column)) for name, column in columns.items()})
    except pa.ArrowException as error:
        raise SourceError(f"{data}: {error}") from error


def _places(config: Path) -> dict[str, str]:
    """Where features, label and predicted label are, as the file says it."""
    document = msgspec.json.decode(config.read_bytes(), type=dict[str, Any])
    keys = ("features", "label", "predicted_label")
    found = {key: document[key] for key in keys if isinstance(document.get(key), str)}
    headers = document.get("headers") or []
    return {key: place for key, place in found.items() if place not in headers}


def _search(place: str, documents: list[Any]) -> list[Any]:
    """What is at a place, over all documents: of each either its rows, or one."""
    many = "[" in place and "*" in place
    found = [jmespath.search(place, document) for document in documents]
    return [row for rows in found for row in rows or []] if many else found
