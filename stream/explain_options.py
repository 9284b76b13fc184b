"""Options of `streamgauge explain`, and how they become settings."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
from pydantic import ValidationError

from schemas.errors import ConfigError
from stream.explain_settings import ExplainSettings
from stream.fields import Section
from stream.models.payloads import TYPES

_LISTS = ("features", "labels", "outputs")


def explaining(command: Callable[..., Any]) -> Callable[..., Any]:
    """Options that say what is explained and how; they are the settings of [explain]."""
    options = [
        click.option("--model", "-m", metavar="MODEL",
                     help="URL, sagemaker:ENDPOINT, FILE.py:name, module:name or FILE.onnx."),
        click.option("--config", "-c", type=click.Path(exists=True, dir_okay=False, path_type=Path),
                     help="SageMaker's analysis_config.json (methods.shap, predictor), or the same as TOML."),
        click.option("--background", type=click.Path(exists=True, dir_okay=False, path_type=Path),
                     help="CSV of baseline rows.  [default: of --config, else clusters of DATA]"),
        click.option("--rows", type=click.IntRange(1), default=1_000, show_default=True,
                     help="Rows to explain at most, a random sample."),
        click.option("--features", metavar="NAME[,NAME]", help="The model's inputs, in order."),
        click.option("--labels", metavar="NAME[,NAME]", help="Names of the model's outputs, in order."),
        click.option("--outputs", metavar="NAME[,NAME]",
                     help="Which of an endpoint's answers are meant, by name or place from 0."),
        click.option("--content", type=click.Choice(TYPES),
                     help="Content type of requests.  [default: text/csv]"),
        click.option("--named", is_flag=True, help="JSON rows carry names."),
        click.option("--time", metavar="DURATION", default="10m", show_default=True,
                     help="How long it may take."),
        click.option("--calls", type=click.IntRange(1), default=100_000, help="Requests at most."),
        click.option("--local", type=click.Choice(["csv", "parquet"]),
                     help="Write the values of each row too."),
    ]  # fmt: skip
    for option in reversed(options):
        command = option(command)
    return command


def explain_settings(options: dict[str, Any]) -> ExplainSettings:
    """Settings of the options given. Raises ConfigError."""
    given = {name: value for name, value in options.items() if value is not None}
    for name in _LISTS:
        if name in given:
            cells = [cell.strip() for cell in given[name].split(",")]
            given[name] = [int(c) if name == "outputs" and c.isdecimal() else c for c in cells]
    try:
        return _Wide.model_validate({"explain": given}).explain
    except ValidationError as error:
        said = [f"{'.'.join(map(str, p['loc']))}: {p['msg']}" for p in error.errors()]
        raise ConfigError("; ".join(said)) from error


class _Wide(Section):
    explain: ExplainSettings
