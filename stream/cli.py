"""The command line: streamgauge and what each of its commands does."""

import logging
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event
from typing import Any

import click
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

from schemas.errors import ConfigError, PipelineError, SinkBusy
from sinks.page import write_page
from stream import console as show
from stream import dataset, prepared_dataset
from stream.baseline import make_baseline
from stream.doctor import examine
from stream.kafka_commands import ingest, make_topics, worker
from stream.logs import configure
from stream.options import SENDING, refuse_sending, sending, settings_of, settings_to_send, shared
from stream.preprocessor import Preprocessor
from stream.quality_baseline import FOLDER, make_quality_baseline
from stream.quality_options import asked_quality, quality_options
from stream.replay import Replay
from stream.report_commands import bias, explain, model_server
from stream.sending.address import Address, parse
from stream.sending.run import Sending
from stream.serve import Service
from stream.settings import Settings
from stream.telling import FAILED, INTERRUPTED, OK, VIOLATIONS
from stream.telling import complain as _complain
from stream.telling import err as _err
from stream.telling import out as _out
from stream.telling import say as _say
from stream.telling import told as _told


class _InOrder(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.commands)  # as they are used, not by name


@click.group(cls=_InOrder, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="streamgauge", prog_name="streamgauge")
@click.option("--verbose", "-v", is_flag=True, help="Say more while working.")
def main(verbose: bool) -> None:
    """Watch machine-learning inference traffic for data that has changed.

    Reads and writes the files of SageMaker Model Monitor. A first look:

    \b
      streamgauge baseline training.csv --output baseline
      streamgauge replay captures/ --baseline baseline --output out
      then open out/index.html in a browser

    \b
    Exit codes:
      0    nothing wrong
      1    failure: also when a file, or every record, could not be read
      2    wrong use: options, settings, files that are not there
      3    violations found
      130  interrupted
    """
    configure(logging.INFO if verbose else logging.WARNING)


@main.command(short_help="Describe training data.")
@click.argument("data", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--output", "-o", required=True, type=click.Path(file_okay=False, path_type=Path),
              help="Directory for statistics.json and constraints.json.")  # fmt: skip
@click.option("--header/--no-header", default=None,
              help="Whether line 1 of a CSV file names the columns.  [default: found out]")  # fmt: skip
@click.option("--preprocessor", type=click.Path(exists=True, dir_okay=False, path_type=Path),
              help="Script with a preprocess_handler, given each CSV line or JSON row.")  # fmt: skip
@click.option("--segments", multiple=True, metavar="COLUMN[,COLUMN]",
              help="Describe the values of a column apart as well; may be repeated.")  # fmt: skip
@click.option("--max-segments", default=50, show_default=True, type=click.IntRange(1, 1_000),
              help="Segments of one --segments: those with the most rows.")  # fmt: skip
@click.option("--withhold-values", is_flag=True,
              help="Write no values of single rows: no sketch, no rare categories.")  # fmt: skip
@quality_options
def baseline(
    data: Path,
    output: Path,
    header: bool | None,
    preprocessor: Path | None,
    segments: tuple[str, ...],
    max_segments: int,
    withhold_values: bool,
    **quality: Any,
) -> None:
    """Describe training data, and suggest what must hold of traffic.

    DATA is CSV, JSON Lines or Parquet (CSV and JSON also with .gz). Its columns should be those of the
    captured traffic in the same order: first the model's outputs, then the features. Empty cells are
    missing values. Columns without a name are called _c0, _c1, ...

    The suggestions in constraints.json are meant to be read and edited: thresholds under
    monitoring_config, for all features or, in a feature's monitoring_config_overrides, for one.
    A directory with the two files that Model Monitor made is a baseline as well.

    With --problem-type the quality of the model is described instead, of data that holds its predictions and
    the labels that came: the files are in OUTPUT/model_quality, beside those of the features.
    """
    with _told():
        asked = asked_quality(quality)
        if preprocessor is None:
            table = dataset.read(data, header)
        else:
            table = prepared_dataset.read(data, Preprocessor(preprocessor), header)
        if asked is not None:
            if segments or withhold_values:
                raise ConfigError("--segments and --withhold-values do not go with --problem-type")
            problem, columns, positive = asked
            model, metrics, suggested = make_quality_baseline(table, output, problem, columns, positive)
            _say(f"Rows      {table.num_rows:,}")
            for line in show.quality(model, metrics):
                _say(line)
            _say(f"Baseline  {output / FOLDER}, {len(suggested.thresholds)} thresholds")
            return
        by = [[name.strip() for name in columns.split(",")] for columns in segments]
        features = make_baseline(table, output, by, max_segments, withhold_values)["features"]
        kinds = [feature["inferred_type"] for feature in features]
        counted = ", ".join(f"{kinds.count(kind)} {kind}" for kind in sorted(set(kinds)))
        names = ", ".join(feature["name"] for feature in features[:4])
        _say(f"Rows      {table.num_rows:,}")
        _say(f"Columns   {len(kinds)} ({counted}): {names}{', ...' if len(kinds) > 4 else ''}")
        _say(f"Baseline  {output / 'statistics.json'}, {output / 'constraints.json'}")


for _command in (bias, explain, model_server):
    main.add_command(_command)


@main.command(short_help="Report on captured traffic, window by window.")
@click.argument("captures", nargs=-1)
@shared
@sending
@click.option("--overwrite", is_flag=True, help="Replace what an earlier replay left in the directory.")
@click.option("--exit-zero", is_flag=True, help="Exit with 0 also when violations were found.")
def replay(
    captures: tuple[str, ...], to: str | None, overwrite: bool, exit_zero: bool, **options: Any
) -> None:
    """Replay captured traffic, and report window by window what has changed.

    CAPTURES are files or directories, local or s3://, plain or .gz: what data capture wrote of an
    endpoint (.jsonl) or of a batch transform (.out, manifests). Files in SageMaker's layout
    ENDPOINT/VARIANT/yyyy/mm/dd/hh belong to that endpoint. In a directory, names that begin with . or _
    are passed over.

    \b
    The output directory then holds
      index.html     what drifted when, to look at; works offline
      reports/       statistics, violations and counts of each window
      captures/      the rows, as Parquet
      errors/        records that could not be used, with reason, file and line
      alerts.jsonl   violations, each once
      summary.json   totals

    Interrupted or killed, the same command goes on where it stopped; with --overwrite it begins anew.

    With --to nothing is judged here: captures are sent as traffic, to Kafka in frames that spread over the
    partitions, or through a Firehose door into one stream. What is sent twice counts twice, and so does a
    put that a door stored and could not answer. How brokers are trusted is under [kafka] in --config.
    Where labels.places names ground truth it is sent too, to a topic or stream of its own, each hour of it
    behind the captures of that hour.
    """
    with _told():
        if to is not None:
            options |= {"overwrite": overwrite, "exit_zero": exit_zero}
            sys.exit(_send(parse(to), settings_to_send(captures, options), options))
        refuse_sending(options)
        settings = settings_of(captures, options, how="name files or directories")
        go_on = f"the same command{' without --overwrite' if overwrite else ''} goes on from here"
        try:
            sys.exit(_replay(settings, overwrite, exit_zero))
        except KeyboardInterrupt:
            _err.out(f"\nstopped; {go_on}", highlight=False)
            sys.exit(INTERRUPTED)
        except SinkBusy as error:
            raise SinkBusy(f"{error}; {go_on}") from error


def _replay(settings: Settings, overwrite: bool, exit_zero: bool) -> int:
    run = Replay(settings, overwrite=overwrite)
    try:
        if run.resumed:
            _err.out("going on where the last run stopped", highlight=False)
        with _progress("replaying") as report:
            run.run(report)
        return _outcome(run, exit_zero)
    finally:
        run.close()


def _send(address: Address, settings: Settings, options: dict[str, Any]) -> int:
    stop = Event()

    def interrupted(*_: Any) -> None:
        stop.set()
        signal.signal(signal.SIGINT, signal.default_int_handler)  # a second time, at once

    signal.signal(signal.SIGINT, interrupted)
    if logging.getLogger().level > logging.INFO:
        for name in ("kafka", "aiokafka"):  # their troubles are told by what they lead to
            logging.getLogger(name).setLevel(logging.CRITICAL)
    given = {name: options[name] for name in SENDING if options[name] is not None}
    run = Sending(address, settings, **given)
    if len(run.mixed) > 1:
        _complain(
            f"captures of {', '.join(run.mixed)} go to one endpoint: only frames in Kafka keep them apart"
        )
    if run.unsent:
        _complain(run.unsent)
    try:
        with _progress("sending") as report:
            sent = run.run(stop.is_set, report)
    except KeyboardInterrupt:
        _err.out(f"\nstopped at once; {_acknowledged(run)}", highlight=False)
        return INTERRUPTED
    except PipelineError as error:
        raise type(error)(f"{error}; {_acknowledged(run)}") from error
    show.sent(_out, str(address), run.told, sent.seconds)
    if run.labels_to:
        show.sent_labels(_out, str(run.labels_to), run.told_labels)
    for problem in sent.problems:
        _complain(problem)
    for what, told in (("records", run.told), ("labels", run.told_labels)):
        if told.refused:
            _complain(f"{told.refused:,} {what} are too large and were left out: {told.first_refused}")
    if sent.stopped:
        _err.out("stopped; the same command sends everything from the first record", highlight=False)
        return INTERRUPTED
    refused = run.told.refused or run.told_labels.refused
    return FAILED if sent.problems or refused or not run.told.acknowledged else OK


def _acknowledged(run: Sending) -> str:
    labels = f" and {run.told_labels.acknowledged:,} labels" if run.labels_to else ""
    return f"{run.told.acknowledged:,} records{labels} were acknowledged"


@contextmanager
def _progress(what: str) -> Iterator[Callable[[int, int], None]]:
    columns = (TextColumn(what), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    with Progress(*columns, console=_err, transient=True, disable=not _err.is_terminal) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def _outcome(run: Replay, exit_zero: bool) -> int:
    settings, summary = run.settings, run.host.summary()
    reports = show.read_reports(settings.output)
    for table in show.drift_tables(reports):
        _out.print(table, "")
    rows_at = settings.rows or str(settings.output / "captures")
    show.outcome(_out, summary, reports, settings.output, rows_at)
    for problem in run.problems:
        _complain(problem)
    counts = summary["counts"]
    if counts["records"] and counts["records"] == counts["bad"]:
        misfit = " Does the baseline belong to this traffic?" if "columns" in summary["bad_by_reason"] else ""
        _complain(f"not one record could be used.{misfit}")
        return FAILED
    if counts["records"] and counts["records"] == counts["filtered"]:
        _complain("every record was left out by the filter or the preprocessor")
    if unwatched := summary["bad_by_reason"].get("baseline"):
        _complain(f"no baseline for the endpoint of {unwatched:,} records; they were kept aside")
    if not counts["records"] and not run.problems:
        _complain("the captures hold no record")
    if run.problems or unwatched or not counts["records"]:
        return FAILED
    return VIOLATIONS if summary["reports"].get("CompletedWithViolations") and not exit_zero else OK


@main.command(short_help="Watch for new captures, and report until stopped.")
@shared
@click.option("--captures", multiple=True,
              help="File or directory to watch, local or s3://; may be repeated.")  # fmt: skip
def serve(captures: tuple[str, ...], **options: Any) -> None:
    """Watch for new captures, and report on windows as they close, until stopped.

    \b
    A first streamgauge.toml for --config; paths in it are relative to it:
      output = "out"
      baseline = "baseline"
      [source]
      captures = ["captures/"]

    A table [firehose] in it, also an empty one, opens the Firehose door: AWS clients put records at
    http://127.0.0.1:4573, which are delivered and, under firehose.watch, judged.

    The output directory is that of replay. Ctrl-C or SIGTERM stores everything and stops; after a crash
    the next start goes on without loss.
    """
    with _told():
        settings = settings_of(captures, options, how="give --captures", may_listen=True)
        configure(logging.INFO)
        stop = Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: stop.set())
        Service(settings, stop).run()


for _command in (make_topics, ingest, worker):
    main.add_command(_command)


@main.command(short_help="Check settings, disks and servers.")
@click.option("--config", "-c", required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path),
              help="Settings, in TOML.")  # fmt: skip
def doctor(config: Path) -> None:
    """Look whether everything that the settings name is there and as it must be.

    Settings and baselines, directories and disk space, labels and whether they name captures, brokers and
    topics, the store of objects, OpenSearch: a line each, with what is wrong and how to mend it. Nothing is
    changed; a small object is put into the store and deleted. Exits with 1 when something failed.
    """
    for client in (
        "kafka",
        "opensearch",
    ):  # what they say of a server that is down, the findings say in a line
        logging.getLogger(client).setLevel(logging.CRITICAL)
    failed = False
    for finding in examine(config):
        _say(str(finding))
        failed |= finding.level == "fail"
    sys.exit(FAILED if failed else OK)


@main.command(short_help="Make index.html anew.")
@click.argument("directory", type=click.Path(exists=True, file_okay=False, path_type=Path))
def page(directory: Path) -> None:
    """Make DIRECTORY/index.html anew from the reports in DIRECTORY, an output of replay or serve."""
    with _told():
        if not (directory / "reports").is_dir():
            raise ConfigError(f"{directory}: no reports; name an output directory of replay or serve")
        _say(f"Page  {write_page(directory)}")
