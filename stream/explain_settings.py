"""Settings of explanations."""

from datetime import timedelta
from typing import Literal, Self

from pydantic import Field, model_validator

from stream.fields import Duration, File, Name, Section


class ExplainSettings(Section):
    """Attributions of each window, by asking a model or as the captures hold them, and drift of their
    ranking."""

    model: Name | None = Field(
        None,
        description="URL, sagemaker:ENDPOINT, FILE.py:name, module:name, FILE.onnx or a pickle",
    )
    config: File | None = Field(None, description="analysis_config.json of Clarify, as JSON or TOML")
    captured: Name | None = Field(
        None, description='columns that hold attributions, such as "{feature}_{label}"; no model is asked'
    )
    background: File | None = Field(None, description="CSV of baseline rows, instead of those in config")
    features: tuple[Name, ...] | None = Field(None, description="the model's inputs, in order")
    labels: tuple[Name, ...] | None = Field(None, description="names of the model's outputs, in order")
    outputs: tuple[Name | int, ...] | None = Field(
        None, description="which of an endpoint's answers are meant, by name or place from 0"
    )
    threshold: float = Field(0.9, gt=0.0, le=1.0, description="nDCG below it is drift")
    rows: int = Field(200, ge=1, le=10_000, description="rows explained of a window, at most")
    calls: int = Field(1_000, ge=1, description="requests for a window, at most, tries again among them")
    time: Duration = Field(timedelta(seconds=30), description="how long a window may take to explain")
    per_second: float = Field(0, ge=0, description="requests a second; 0 is without limit")
    batch: int = Field(1_000, ge=1, description="rows of a request")
    concurrency: int = Field(4, ge=1, le=64, description="requests under way at once")
    timeout: Duration = Field(timedelta(seconds=10), gt=timedelta(0), description="time for one answer")
    retries: int = Field(2, ge=0, description="tries again of a request that failed")
    content: Literal["text/csv", "application/json", "application/jsonlines"] | None = Field(
        None, description="content type of requests; default text/csv"
    )
    accept: str | None = Field(None, description="content type of answers; default that of requests")
    named: bool = Field(False, description="JSON rows carry names, instead of a list called features")
    pickle: str | None = Field(None, description='"run the code that it holds", where model is a pickle')
    local: Literal["csv", "parquet"] | None = Field(
        None, description="write the values of each explained row too, in this form"
    )

    @model_validator(mode="after")
    def _has_a_source(self) -> Self:
        if self.model is not None and self.captured is not None:
            raise ValueError("model and captured: say one of them")
        return self
