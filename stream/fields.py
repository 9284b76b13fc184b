"""What settings are made of."""

from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from schemas.errors import ConfigError
from schemas.times import parse_duration


class Section(BaseModel):
    """A table of settings: a key that it does not have is a mistake, and nothing changes once it is read."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def _duration(value: Any) -> Any:
    if isinstance(value, timedelta):
        return value
    if not isinstance(value, str):
        raise ValueError(
            f"{value!r} has no unit: write a duration in quotes, such as '30s', '5m', '1h', '1d'"
        )
    try:
        return parse_duration(value)
    except ConfigError as error:
        raise ValueError(str(error)) from error


def _on_disk(value: Any) -> Any:
    if "://" in str(value):
        raise ValueError(f"{value} is not on this machine; give a local directory")
    return value


def _file(value: Any) -> Any:
    if "://" in str(value):
        raise ValueError(f"{value} is not on this machine; give a local file")
    return value


Duration = Annotated[timedelta, BeforeValidator(_duration), Field(ge=timedelta(0))]
Directory = Annotated[Path, BeforeValidator(_on_disk)]
File = Annotated[Path, BeforeValidator(_file)]
Name = Annotated[str, Field(min_length=1, max_length=255)]
Place = Annotated[str, Field(min_length=1)]
