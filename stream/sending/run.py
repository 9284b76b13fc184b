"""One sending of captures and their ground truth, put together from settings and options."""

import msgspec

from schemas.errors import ConfigError, TopicError
from schemas.times import milliseconds, parse_duration
from stream import source
from stream.sending.address import Address, parse
from stream.sending.http_target import HttpTarget
from stream.sending.kafka_target import KafkaTarget
from stream.sending.pace import Pace
from stream.sending.send import Progress, Sent, Taker, send
from stream.sending.target import Stopped, Target, Told
from stream.settings import Settings
from stream.source import CaptureFile

_FRAME = 500  # records
_MOST_LABELS = 100_000  # that are spread over the partitions at one time
_LAST_ANSWERS = 5.0  # seconds that are waited for answers when it is stopped


class Sending:
    """Finds captures and ground truth, and what takes them in; `told` and `told_labels` are what those have
    answered, until now. `unsent` says why ground truth is not sent though settings name places of it.

    Raises SourceError, ConfigError, TopicError and BrokerError before anything is sent.
    """

    def __init__(
        self,
        address: Address,
        settings: Settings,
        *,
        speed: float = 0,
        rate: float = 0,
        frame: int = _FRAME,
        final: bool = False,
        timeout: str = "2m",
        labels_to: str | None = None,
    ) -> None:
        if final and address.scheme != "kafka":
            raise ConfigError(
                "--final: only with --to kafka; a door closes windows as their endpoint is idle"
            )
        captures = source.find(settings.source.captures, settings.source.subject)
        self.labels_to, labels, self.unsent = _ground_truth(address, settings, labels_to)
        self._files = sorted([*captures, *labels], key=CaptureFile.order)
        raw = address.scheme == "kafka" and frame == 1
        self._pace = Pace(speed, rate)
        # Raw records are messages of their own in any case: they are taken one by one only to be paced.
        self._records = _FRAME if raw and self._pace.flat_out else frame
        subjects = {file.subject for file in captures}
        self.mixed = sorted(map(str, subjects)) if (raw or address.scheme != "kafka") else []
        self._final = sorted({settings.source.subject} if raw else subjects, key=str) if final else []
        patience = milliseconds(parse_duration(timeout)) / 1000
        self._target = _target(address, settings, patience, raw)
        self._labels: Taker | None = None
        if self.labels_to is not None:
            try:
                self._labels = self._open_labels(_label_target(self.labels_to, settings, patience, raw))
            except BaseException:
                self._target.close(0)
                raise

    def _open_labels(self, target: Target) -> Taker:
        """Labels are taken so many at a time that each partition gets a whole frame of them."""
        spread = target.partitions if isinstance(target, KafkaTarget) and self._pace.flat_out else 1
        return Taker(target, max(min(self._records * spread, _MOST_LABELS), self._records))

    @property
    def told(self) -> Told:
        """What is acknowledged of captures."""
        return self._target.told

    @property
    def told_labels(self) -> Told:
        """What is acknowledged of ground truth."""
        return self._labels.target.told if self._labels else Told()

    def run(self, stopped: Stopped, progress: Progress | None = None) -> Sent:
        """Send everything. Raises BrokerError, ConfigError."""
        seconds = 0.0  # that answers are waited for at the end
        try:
            sent = send(
                self._files,
                self._target,
                self._pace,
                records=self._records,
                labels=self._labels,
                final=self._final,
                stopped=stopped,
                progress=progress,
            )
            seconds = _LAST_ANSWERS
        finally:
            try:
                self._target.close(seconds)
            finally:
                if self._labels:
                    self._labels.target.close(seconds)
        return sent


def _target(address: Address, settings: Settings, timeout: float, raw: bool) -> Target:
    if address.scheme != "kafka":
        return HttpTarget.open(address, timeout)
    brokers = settings.kafka.model_copy(update={"brokers": address.hosts})
    return KafkaTarget.open(brokers, address.name, timeout, raw=raw)


def _label_target(address: Address, settings: Settings, timeout: float, raw: bool) -> Target:
    """What takes ground truth in; that it is not there is told now, and not behind the first captures."""
    try:
        target = _target(address, settings, timeout, raw)
    except TopicError as error:
        raise TopicError(f"labels: {error}; --labels-to or kafka.labels names another") from error
    if isinstance(target, HttpTarget):
        target.look()
    return target


def _ground_truth(
    address: Address, settings: Settings, labels_to: str | None
) -> tuple[Address | None, list[CaptureFile], str]:
    """Where ground truth goes, its files, and why it goes nowhere. Raises ConfigError, SourceError."""
    places = settings.labels.places
    if not places:
        if labels_to is not None:
            raise ConfigError("--labels-to: there is no ground truth to send; set labels.places in --config")
        return None, [], ""
    name = labels_to or _default_name(address, settings)
    if name is None:
        why = "name their stream with --labels-to, or under firehose.labels"
        return None, [], f"labels are not sent: {why}"
    to = parse(str(msgspec.structs.replace(address, name=name)))
    if to == address:
        raise ConfigError(f"{to}: captures and labels cannot both go there; --labels-to names another")
    files = source.find_labels(places)
    return (to, files, "") if files else (None, [], f"{', '.join(places)}: there are no files of labels")


def _default_name(address: Address, settings: Settings) -> str | None:
    """The topic or stream of ground truth that settings name. Raises ConfigError where that is unclear."""
    if address.scheme == "kafka":
        return settings.kafka.labels_topic
    named = settings.firehose.labels if settings.firehose else ()
    if len(named) > 1:
        raise ConfigError(f"firehose.labels names {', '.join(named)}: choose one with --labels-to")
    return named[0] if named else None
