"""The command line: streamgauge baseline, replay, serve and page."""

import logging
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event
from typing import Any

import click
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

from schemas.errors import BadBaseline, ConfigError, PipelineError, SourceError, StateError
from sinks.page import write_page
from stream import console as show
from stream import dataset
from stream.logs import configure
from stream.run import Replay, make_baseline
from stream.serve import Service
from stream.settings import Settings, load

OK, FAILED, WRONG_USE, VIOLATIONS, INTERRUPTED = 0, 1, 2, 3, 130
_WRONG_USE = (ConfigError, SourceError, BadBaseline, StateError)

_out = Console()
_err = Console(stderr=True)


@contextmanager
def _told() -> Iterator[None]:
    """Errors raised on purpose become one sentence and an exit code."""
    try:
        yield
    except PipelineError as error:
        _err.print(f"streamgauge: {error}", style="red", highlight=False, markup=False, soft_wrap=True)
        sys.exit(WRONG_USE if isinstance(error, _WRONG_USE) else FAILED)


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="streamgauge")
@click.option("--verbose", "-v", is_flag=True, help="Say more while working.")
def main(verbose: bool) -> None:
    """Watch machine-learning inference traffic: capture records in, drift reports out.

    Reads and writes the formats of SageMaker Model Monitor. A first look:

    \b
      streamgauge baseline training.csv --output baseline
      streamgauge replay captures/ --baseline baseline --output out --window 1d
      open out/index.html

    Exit codes: 0 nothing wrong, 1 failure, 2 wrong use, 3 violations found.
    """
    configure(logging.INFO if verbose else logging.WARNING)


@main.command()
@click.argument("data", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--output",
    "-o",
    required=True,
    type=click.Path(file_okay=False, path_type=Path),
    help="Directory for statistics.json and constraints.json.",
)
@click.option("--header/--no-header", default=None,
              help="Whether the first line of a CSV file names the columns. Default: found out. "
                   "Without names the columns are _c0, _c1, ...")  # fmt: skip
def baseline(data: Path, output: Path, header: bool | None) -> None:
    """Describe training data, and suggest what must hold of traffic.

    DATA is CSV, JSON lines or Parquet (CSV and JSON also with .gz). Its columns should be those of the
    captured traffic in the same order: first the model's outputs, then the features. Empty cells are
    missing values.

    The suggestions in constraints.json are meant to be read and edited: thresholds under
    monitoring_config, for all features or, in a feature's monitoring_config_overrides, for one.
    """
    with _told():
        table = dataset.read(data, header)
        suggested = make_baseline(table, output)
        kinds = [feature["inferred_type"] for feature in suggested["features"]]
        counted = ", ".join(f"{kinds.count(kind)} {kind}" for kind in sorted(set(kinds)))
        _out.print(f"{table.num_rows:,} rows, {len(kinds)} columns ({counted})", highlight=False)
        first = ", ".join(feature["name"] for feature in suggested["features"][:4])
        _out.print(f"columns: {first}{', ...' if len(kinds) > 4 else ''}", highlight=False, markup=False)
        _out.print(f"Baseline {output / 'statistics.json'}, {output / 'constraints.json'}", highlight=False)


def _shared(command: Callable[..., Any]) -> Callable[..., Any]:
    """Options of replay and serve, which stand above the same settings in the configuration file."""
    options = [
        click.option("--baseline", "-b", type=click.Path(path_type=Path),
                     help="Directory with constraints.json and statistics.json."),
        click.option("--output", "-o", type=click.Path(file_okay=False, path_type=Path),
                     help="Directory for reports, rows, errors, alerts, page and state.  [default: out]"),
        click.option("--config", "-c", type=click.Path(exists=True, dir_okay=False, path_type=Path),
                     help="streamgauge.toml; the options here stand above it."),
        click.option("--window", help="Length of a window, such as 15m, 1h, 1d.  [default: 1h]"),
        click.option("--lateness", help="How long a window waits for late records.  [default: 5m]"),
        click.option("--retention", help="How long after that a late record re-opens it.  [default: 0s]"),
        click.option("--endpoint", help="Endpoint of files outside endpoint/variant/yyyy/mm/dd/hh."
                                        "  [default: default]"),
        click.option("--variant", help="Variant of such files.  [default: AllTraffic]"),
    ]  # fmt: skip
    for option in reversed(options):
        command = option(command)
    return command


@main.command()
@click.argument("captures", nargs=-1)
@_shared
@click.option("--overwrite", is_flag=True, help="Replace what an earlier replay left in the directory.")
@click.option("--exit-zero", is_flag=True, help="Exit with 0 also when violations were found.")
def replay(captures: tuple[str, ...], overwrite: bool, exit_zero: bool, **options: Any) -> None:
    """Run captured traffic through the monitor, window by window.

    CAPTURES are files or directories, local or s3://: data capture of endpoints (JSON lines, also .gz),
    and of batch transforms (.out files, manifests). Files in SageMaker's layout
    endpoint/variant/yyyy/mm/dd/hh belong to that endpoint.

    Interrupted or killed, the same command goes on where it stopped.
    """
    with _told():
        settings = _settings(captures, options)
        if not settings.source.captures:
            raise ConfigError(
                "no captures: name files or directories, or source.captures in the configuration"
            )
        _need_baseline(settings)
        run = Replay(settings, overwrite=overwrite)
        try:
            _run_with_progress(run)
        except KeyboardInterrupt:
            _err.print("\nstopped; the same command goes on from here", highlight=False)
            sys.exit(INTERRUPTED)
        finally:
            run.close()
        sys.exit(_outcome(run, exit_zero))


def _run_with_progress(run: Replay) -> None:
    if run.resumed:
        _err.print("going on where the last run stopped", highlight=False)
    columns = (TextColumn("replaying"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    with Progress(*columns, console=_err, transient=True) as bar:
        task = bar.add_task("replaying", total=None)
        run.run(lambda done, total: bar.update(task, completed=done, total=total))


def _outcome(run: Replay, exit_zero: bool) -> int:
    directory = run.settings.output
    summary = run.host.summary()
    reports = show.read_reports(directory)
    if any(report["violations"] for report in reports):
        _out.print(show.drift_table(reports))
    show.outcome(_out, summary, directory)
    for problem in run.problems:
        _err.print(f"streamgauge: {problem}", style="red", highlight=False, markup=False, soft_wrap=True)
    counts = summary["counts"]
    if counts["records"] and counts["records"] == counts["bad"]:
        _err.print("streamgauge: no record fits the baseline; see the reasons above", style="red")
        return FAILED
    if run.problems:
        return FAILED
    return VIOLATIONS if summary["reports"].get("CompletedWithViolations") and not exit_zero else OK


@main.command()
@_shared
@click.option(
    "--captures", multiple=True, help="Files or directories to watch, local or s3://; may be repeated."
)
def serve(captures: tuple[str, ...], **options: Any) -> None:
    """Watch for new captures and report on windows as they close, until stopped.

    Ctrl-C or SIGTERM stores everything and stops; after a crash the next start goes on without loss.
    """
    with _told():
        settings = _settings(captures, options)
        if not settings.source.captures:
            raise ConfigError("nothing to watch: set source.captures in the configuration, or --captures")
        _need_baseline(settings)
        configure(logging.INFO)
        stop = Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: stop.set())
        Service(settings, stop).run()


@main.command()
@click.argument("directory", type=click.Path(exists=True, file_okay=False, path_type=Path))
def page(directory: Path) -> None:
    """Make DIRECTORY/index.html anew from the reports in DIRECTORY."""
    with _told():
        _out.print(f"Page {write_page(directory)}", highlight=False)


def _need_baseline(settings: Settings) -> None:
    if settings.baseline is None and not any(e.baseline for e in settings.endpoints.values()):
        raise ConfigError("no baseline: give --baseline DIR, or baseline in the configuration")


def _settings(captures: tuple[str, ...], options: dict[str, Any]) -> Settings:
    """Settings of the file with what was given on the command line on top."""
    given = {name: value for name, value in options.items() if value is not None}
    over: dict[str, Any] = {name: given[name] for name in ("baseline", "output") if name in given}
    window: dict[str, Any] = {name: given[name] for name in ("lateness", "retention") if name in given}
    window |= {"size": given["window"]} if "window" in given else {}
    where: dict[str, Any] = {name: given[name] for name in ("endpoint", "variant") if name in given}
    where |= {"captures": list(captures)} if captures else {}
    over |= {"window": window} if window else {}
    over |= {"source": where} if where else {}
    return load(options["config"], over)
