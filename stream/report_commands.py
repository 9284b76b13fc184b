"""The commands that report on a data set once: streamgauge bias and explain; and a model to explain."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from schemas.constraints import Defaults
from stream import bias as bias_report
from stream import console as show
from stream import explain as explain_report
from stream.explain_options import explain_settings, explaining
from stream.models.local import function
from stream.models.server import ModelServer
from stream.telling import OK, VIOLATIONS, out, say, told


def one_off(
    baseline: str, output: str, compatible: str
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Options of every report on a data set; the arguments are their help."""
    options = [
        click.option("--baseline", "-b", type=click.Path(exists=True, path_type=Path), help=baseline),
        click.option("--output", "-o", required=True, type=click.Path(file_okay=False, path_type=Path),
                     help=output),
        click.option("--header/--no-header", default=None,
                     help="Whether line 1 of a CSV file names the columns.  [default: found out]"),
        click.option("--compatible", is_flag=True, help=compatible),
        click.option("--exit-zero", is_flag=True, help="Exit with 0 also when violations were found."),
    ]  # fmt: skip

    def decorate(command: Callable[..., Any]) -> Callable[..., Any]:
        for option in reversed(options):
            command = option(command)
        return command

    return decorate


@click.command(short_help="Report on the bias of a data set.")
@click.argument("data", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--config", "-c", required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path),
              help="SageMaker's analysis_config.json, or the same as TOML.")  # fmt: skip
@one_off(
    baseline="An earlier analysis.json, or its directory, that nothing may be worse than.",
    output="Directory for analysis.json and constraint_violations.json.",
    compatible="Judge as SageMaker does: whatever is worse, by however little.",
)
def bias(
    data: Path,
    config: Path,
    baseline: Path | None,
    output: Path,
    header: bool | None,
    compatible: bool,
    exit_zero: bool,
) -> None:
    """Measure bias by SageMaker Clarify's metrics, and hold it against a baseline's.

    DATA is CSV, JSON, JSON Lines or Parquet. The configuration names label, facets and, for metrics after
    training, predicted_label or probability. Without --compatible a metric is a violation only where its
    95 % interval lies beyond the baseline's value, in groups of 30 rows or more, all metrics together.
    """
    with told():
        defaults = Defaults(0, 1.0) if compatible else Defaults()
        found = bias_report.report(data, config, output, baseline, header, defaults)
        say(f"Rows        {found.rows:,}")
        out.print(show.bias_table(found.metrics, found.violations))
        for place in found.files:
            say(f"Written     {place}")
        if baseline:
            say(f"Violations  {len(found.violations)}")
        sys.exit(VIOLATIONS if found.violations and not exit_zero else OK)


@click.command(short_help="Explain a model's answers on a data set.")
@click.argument("data", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@explaining
@one_off(
    baseline="An earlier analysis.json, or its directory, to compare the ranking with.",
    output="Directory for analysis.json and what goes with it.",
    compatible="Judge as SageMaker does, however few the rows.",
)
def explain(
    data: Path,
    baseline: Path | None,
    output: Path,
    header: bool | None,
    compatible: bool,
    exit_zero: bool,
    **options: Any,
) -> None:
    """Explain a model's answers by Kernel SHAP, and hold the ranking of features against a baseline's.

    DATA is CSV, JSON, JSON Lines or Parquet; its columns are the model's inputs in order, and a label where
    --config names it. The model is a URL that answers as SageMaker's /invocations does, sagemaker:ENDPOINT,
    FILE.py:name or module:name, or an ONNX file. Into a baseline's directory it makes the baseline of
    [explain] in the settings.
    """
    with told():
        settings = explain_settings(options)
        found = explain_report.report(
            data, settings, output, baseline, header, Defaults(0, 1.0) if compatible else None
        )
        say(f"Rows        {found.rows:,}")
        out.print(show.attribution_table(found.analysis))
        for place in found.files:
            say(f"Written     {place}")
        for violation in found.violations:
            say(f"Violation   {violation.label}: {violation.description}")
        sys.exit(VIOLATIONS if found.violations and not exit_zero else OK)


@click.command("model-server", short_help="Serve a model as SageMaker's containers do.")
@click.argument("model", metavar="FILE.py:NAME")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen at.")
@click.option("--port", default=8080, show_default=True, type=click.IntRange(0, 65_535),
              help="Port to listen at; 0 takes any that is free.")  # fmt: skip
@click.option("--columns", metavar="NAME[,NAME]", help="Names of the columns of CSV requests, in order.")
def model_server(model: str, host: str, port: int, columns: str | None) -> None:
    """Serve a model with SageMaker's contract, POST /invocations and GET /ping, to try explanations on.

    FILE.py:NAME (or module:NAME) is a function of an Arrow table, or an object with predict_proba or
    predict. Requests are CSV, JSON ({"instances": [...]}) or JSON Lines. The demo's is
    examples/flights/served.py:model.
    """
    with told():
        server = ModelServer(function(model), host, port, columns.split(",") if columns else None)
        say(f"http://{host}:{server.port}/invocations")
        try:
            server.wait()
        except KeyboardInterrupt:
            server.close()
