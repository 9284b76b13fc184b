"""Settings of what is looked at: records left out, limits of custom monitors, segments."""

import re
from collections.abc import Mapping
from typing import Annotated, Any, Self

from pydantic import BeforeValidator, Field, field_validator, model_validator

from stream.fields import Section


def _text(value: Any) -> Any:
    """Numbers and booleans as JSON writes them: what they are compared with is text."""
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if isinstance(value, int | float) else value


Text = Annotated[str, BeforeValidator(_text)]
Name = Annotated[str, Field(min_length=1)]


class Match(Section):
    """One way to look at a text; a bare text stands for `equals`, a list for `in`."""

    equals: Text | None = None
    among: tuple[Text, ...] | None = Field(None, alias="in")
    prefix: str | None = None
    contains: str | None = None
    matches: str | None = None

    @field_validator("matches")
    @classmethod
    def _is_a_pattern(cls, pattern: str | None) -> str | None:
        try:
            re.compile(pattern or "")
        except re.error as error:
            raise ValueError(f"{pattern!r} is not a regular expression: {error}") from error
        return pattern

    @model_validator(mode="before")
    @classmethod
    def _short(cls, given: Any) -> Any:
        if isinstance(given, list):
            return {"in": given}
        return given if isinstance(given, Mapping) else {"equals": given}

    @model_validator(mode="after")
    def _is_one(self) -> Self:
        if len(self.model_fields_set) != 1:
            raise ValueError("must have one of equals, in, prefix, contains, matches")
        return self

    def holds(self, text: str) -> bool:
        """Whether `text` is as it is asked for."""
        if self.equals is not None:
            return text == self.equals
        if self.among is not None:
            return text in self.among
        if self.prefix is not None:
            return text.startswith(self.prefix)
        if self.contains is not None:
            return self.contains in text
        return re.search(self.matches or "", text) is not None


class Condition(Section):
    """It holds for a record when all its entries do; what a record does not have matches nothing."""

    event_id: Match | None = None
    inference_id: Match | None = None
    attributes: Match | None = None
    attribute: dict[str, Match] = Field(default_factory=dict)
    column: dict[str, Match] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if not any((self.event_id, self.inference_id, self.attributes, self.attribute, self.column)):
            names = ", ".join(type(self).model_fields)
            raise ValueError(f"must have one of {names}; an empty condition would drop every record")
        return self


class FilterSettings(Section):
    """Records that are counted and otherwise left out."""

    sample: float = Field(1.0, gt=0.0, le=1.0, description="share of records to look at, told by event id")
    drop: tuple[Condition, ...] = Field((), description="conditions; a record that one holds for is dropped")


class Limits(Section):
    """What a custom monitor's value must not pass, instead of what its file says."""

    at_most: float | None = None
    at_least: float | None = None


class SegmentSettings(Section):
    """Columns whose values, or combinations of them, are watched apart; a bare name stands for one column."""

    columns: tuple[Name, ...] = Field(min_length=1)
    values: tuple[tuple[Text, ...], ...] | None = Field(None, min_length=1)

    @model_validator(mode="before")
    @classmethod
    def _short(cls, given: Any) -> Any:
        if isinstance(given, str):
            return {"columns": [given]}
        if isinstance(given, list):
            return {"columns": given}
        if isinstance(given, Mapping) and isinstance(given.get("values"), list):
            single = [value if isinstance(value, list) else [value] for value in given["values"]]
            return {**given, "values": single}
        return given

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if len(set(self.columns)) < len(self.columns):
            raise ValueError("names a column twice")
        if self.values is not None and any(len(value) != len(self.columns) for value in self.values):
            raise ValueError(f"each of values must be of {len(self.columns)} columns")
        return self
