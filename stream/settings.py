"""All that can be set, checked in one place: every mistake is named at once, with where it stands."""

import tomllib
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from schemas.errors import ConfigError
from schemas.times import parse_duration


def _duration(value: Any) -> Any:
    try:
        return parse_duration(value) if isinstance(value, str) else value
    except ConfigError as error:
        raise ValueError(str(error)) from error


Duration = Annotated[timedelta, BeforeValidator(_duration)]
Name = Annotated[str, Field(min_length=1, max_length=255)]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class WindowSettings(_Section):
    """Tumbling windows of event time, aligned to the epoch in UTC."""

    size: Duration = Field(timedelta(hours=1), description="length of a window")
    lateness: Duration = Field(
        timedelta(minutes=5), description="how long after its end a window waits for records that come late"
    )
    retention: Duration = Field(
        timedelta(0), description="how long after that a late record still re-opens it, as a new revision"
    )
    max_ahead: Duration = Field(
        timedelta(hours=1), description="a record whose event time is further after its arrival is bad"
    )

    @model_validator(mode="after")
    def _in_range(self) -> "WindowSettings":
        if not timedelta(seconds=1) <= self.size <= timedelta(days=366):
            raise ValueError("size must be from 1s to 366d")
        if min(self.lateness, self.retention, self.max_ahead) < timedelta(0):
            raise ValueError("lateness, retention and max_ahead must not be negative")
        return self


class ColumnSettings(_Section):
    """Which columns are the model's outputs, where the payload does not name them."""

    outputs: tuple[str, ...] | None = Field(None, description="names of the output columns, in order")
    output_position: Literal["START", "END"] = Field(
        "START", description="where outputs stand in the baseline, when they are not named"
    )


class EndpointSettings(_Section):
    """What differs for one endpoint."""

    baseline: Path | None = Field(None, description="directory with constraints.json and statistics.json")
    columns: ColumnSettings | None = None


class SourceSettings(_Section):
    """Where capture files are found, and whose a file is that does not lie in SageMaker's layout."""

    captures: tuple[str, ...] = Field((), description="files or directories, local or s3://")
    endpoint: Name = Field("default", description="endpoint of files outside endpoint/variant/yyyy/mm/dd/hh")
    variant: Name = Field("AllTraffic", description="variant of such files")
    poll: Duration = Field(timedelta(seconds=5), description="how often serve looks for new captures")
    idle: Duration = Field(
        timedelta(minutes=15), description="serve closes the windows of an endpoint silent for so long"
    )


class CheckpointSettings(_Section):
    """When state is stored and rows are delivered, whichever comes first."""

    rows: int = Field(50_000, ge=1, description="rows between checkpoints")
    interval: Duration = Field(timedelta(seconds=30), description="time between checkpoints, in serve")


class Settings(_Section):
    """The whole configuration, as streamgauge.toml has it."""

    output: Path = Field(Path("out"), description="directory for reports, rows, errors, alerts and state")
    baseline: Path | None = Field(None, description="baseline of every endpoint that names none")
    rows: str | None = Field(
        None, description="where Parquet rows go, local or s3://; default OUTPUT/captures"
    )
    window: WindowSettings = WindowSettings()
    columns: ColumnSettings = ColumnSettings()
    source: SourceSettings = SourceSettings()
    checkpoint: CheckpointSettings = CheckpointSettings()
    endpoints: dict[str, EndpointSettings] = Field(default_factory=dict)


def load(path: Path | None, overrides: Mapping[str, Any] | None = None) -> Settings:
    """Settings from a TOML file, with `overrides` (nested as the file is) on top.

    Paths in the file are relative to the file. Raises ConfigError, which names every mistake.
    """
    document: dict[str, Any] = {}
    if path is not None:
        try:
            document = tomllib.loads(path.read_text("utf-8"))
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            raise ConfigError(f"{path}: {error}") from error
        _resolve(document, path.parent)
    _overlay(document, overrides or {})
    try:
        return Settings.model_validate(document)
    except ValidationError as error:
        problems = [_explain(problem) for problem in error.errors()]
        raise ConfigError(f"{path or 'arguments'}: " + "; ".join(problems)) from error


def _explain(problem: Mapping[str, Any]) -> str:
    place = ".".join(str(part) for part in problem["loc"])
    message = str(problem["msg"]).removeprefix("Value error, ")
    if problem["type"] == "extra_forbidden":
        message = "there is no such setting"
    return f"{place}: {message}"


def _resolve(document: dict[str, Any], base: Path) -> None:
    """Make the paths of a file relative to it; what is no path is left for the check to refuse."""
    places: list[tuple[Any, str]] = [(document, "output"), (document, "baseline"), (document, "rows")]
    endpoints = document.get("endpoints")
    if isinstance(endpoints, dict):
        places += [(endpoint, "baseline") for endpoint in endpoints.values()]
    for table, name in places:
        if isinstance(table, dict) and isinstance(table.get(name), str):
            table[name] = _local(table[name], base)
    source = document.get("source")
    if isinstance(source, dict) and isinstance(source.get("captures"), list):
        source["captures"] = [_local(c, base) if isinstance(c, str) else c for c in source["captures"]]


def _local(path: str, base: Path) -> str:
    return path if "://" in path else str(base / path)


def _overlay(document: dict[str, Any], over: Mapping[str, Any]) -> None:
    for name, value in over.items():
        if isinstance(value, Mapping) and isinstance(document.get(name), dict):
            _overlay(document[name], value)
        elif isinstance(value, Mapping):
            document[name] = dict(value)
        else:
            document[name] = value
