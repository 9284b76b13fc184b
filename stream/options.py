"""Options that commands share, and how they become settings."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from schemas.errors import ConfigError
from schemas.times import parse_duration
from stream.settings import Settings, load

_PLACES = {  # where each option stands among the settings
    "baseline": ("baseline",),
    "preprocessor": ("preprocessor",),
    "output": ("output",),
    "window": ("window", "size"),
    "lateness": ("window", "lateness"),
    "retention": ("window", "retention"),
    "endpoint": ("source", "endpoint"),
    "variant": ("source", "variant"),
    "captures": ("source", "captures"),
}


class _Duration(click.ParamType):
    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        try:
            parse_duration(value)
        except ConfigError as error:
            self.fail(str(error), param, ctx)
        return str(value)


def shared(command: Callable[..., Any]) -> Callable[..., Any]:
    """Options of replay and serve, which stand above the same settings in the configuration file."""
    options = [
        click.option("--baseline", "-b", metavar="DIRECTORY",
                     help="Directory with constraints.json and statistics.json."),
        click.option("--preprocessor", metavar="FILE",
                     help="Script with a preprocess_handler, as Model Monitor runs it."),
        click.option("--output", "-o", metavar="DIRECTORY",
                     help="Directory for everything that comes out.  [default: out]"),
        click.option("--config", "-c", type=click.Path(exists=True, dir_okay=False, path_type=Path),
                     help="Settings, in TOML; the options here stand above them."),
        click.option("--window", type=_Duration(),
                     help="Length of a window, such as 15m, 1h, 1d.  [default: 1h]"),
        click.option("--lateness", type=_Duration(),
                     help="How long a window waits for late records.  [default: 5m]"),
        click.option("--retention", type=_Duration(),
                     help="How long after that a late record re-opens it.  [default: 0s]"),
        click.option("--endpoint",
                     help="Endpoint of files outside ENDPOINT/VARIANT/yyyy/mm/dd/hh.  [default: default]"),
        click.option("--variant", help="Variant of such files.  [default: AllTraffic]"),
    ]  # fmt: skip
    for option in reversed(options):
        command = option(command)
    return command


def settings_of(
    captures: tuple[str, ...], options: dict[str, Any], how: str, may_listen: bool = False
) -> Settings:
    """Settings of the file with what was given on the command line on top.

    `how` says how captures are given; with `may_listen` they may also come in by the Firehose door. Raises
    ConfigError.
    """
    settings = _loaded(captures, options)
    missing = []
    door = settings.firehose if may_listen else None
    if not settings.source.captures and door is None:
        or_else = ", or open the door with [firehose]" if may_listen else ""
        missing.append(f"no captures: {how}, or set source.captures in --config{or_else}")
    watches = bool(settings.source.captures) or door is None or bool(door.watch)
    if watches and settings.baseline is None and not any(e.baseline for e in settings.endpoints.values()):
        missing.append("no baseline: give --baseline DIR, or set baseline in --config")
    if missing:
        raise ConfigError("; ".join(missing))
    return settings


def sending(command: Callable[..., Any]) -> Callable[..., Any]:
    """Options of replay that send captures and labels elsewhere."""
    options = [
        click.option("--to", metavar="URL",
                     help="Send the captures instead: kafka://HOST:PORT[,HOST:PORT]/TOPIC, or to a Firehose "
                          "door, http[s]://HOST:PORT/STREAM."),
        click.option("--labels-to", metavar="NAME",
                     help="With --to: topic or stream, in the same place, for the ground truth of "
                          "labels.places.  [default: kafka.labels; the stream under firehose.labels]"),
        click.option("--speed", type=click.FloatRange(min=0),
                     help="With --to: so many times as fast as they once came; 0 is flat out.  [default: 0]"),
        click.option("--rate", type=click.FloatRange(min=0, min_open=True), metavar="N",
                     help="With --to: at most N records a second."),
        click.option("--frame", type=click.IntRange(1, 100_000), metavar="N",
                     help="With --to: records a message (of Kafka; 1 sends each as it is) or a put.  "
                          "[default: 500]"),
        click.option("--final", is_flag=True, default=None,
                     help="With --to kafka: close all windows when everything is sent, labels too."),
        click.option("--timeout", type=_Duration(),
                     help="With --to: how long to try what takes nothing at the moment.  [default: 2m]"),
    ]  # fmt: skip
    for option in reversed(options):
        command = option(command)
    return command


SENDING = ("labels_to", "speed", "rate", "frame", "final", "timeout")  # that mean something with --to only
_ALSO_SENDING = ("config", "endpoint", "variant")


def settings_to_send(captures: tuple[str, ...], options: dict[str, Any]) -> Settings:
    """Settings of replay where captures are sent. Raises ConfigError where an option has no meaning then."""
    unfit = [name for name, value in options.items() if value and name not in (*SENDING, *_ALSO_SENDING)]
    if unfit:
        raise ConfigError(f"{_listed(unfit)}: captures are judged where they arrive, so not with --to")
    settings = _loaded(captures, options)
    if not settings.source.captures:
        raise ConfigError("no captures: name files or directories, or set source.captures in --config")
    return settings


def refuse_sending(options: dict[str, Any]) -> None:
    """Raises ConfigError where an option is given that means something with --to only."""
    if unfit := [name for name in SENDING if options[name] is not None]:
        raise ConfigError(f"{_listed(unfit)}: only with --to")


def _listed(names: list[str]) -> str:
    return ", ".join("--" + name.replace("_", "-") for name in names)


def _loaded(captures: tuple[str, ...], options: dict[str, Any]) -> Settings:
    """Settings of the file with what was given on the command line on top. Raises ConfigError."""
    given = options | {"captures": list(captures) or None}
    over: dict[str, Any] = {}
    for option, (*tables, name) in _PLACES.items():
        if (value := given[option]) is not None:
            inner = over
            for table in tables:
                inner = inner.setdefault(table, {})
            inner[name] = value
    return load(options["config"], over)
