"""One sending of captures, put together from settings and options."""

from schemas.errors import ConfigError
from schemas.times import milliseconds, parse_duration
from stream import source
from stream.sending.address import Address
from stream.sending.http_target import HttpTarget
from stream.sending.kafka_target import KafkaTarget
from stream.sending.pace import Pace
from stream.sending.send import Progress, Sent, send
from stream.sending.target import Stopped, Target, Told
from stream.settings import Settings

_FRAME = 500  # records
_LAST_ANSWERS = 5.0  # seconds that are waited for answers when it is stopped


class Sending:
    """Finds captures and what takes them in; `told` is what that has answered, until now.

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
    ) -> None:
        if final and address.scheme != "kafka":
            raise ConfigError(
                "--final: only with --to kafka; a door closes windows as their endpoint is idle"
            )
        self._files = source.find(settings.source.captures, settings.source.subject)
        raw = address.scheme == "kafka" and frame == 1
        self._pace = Pace(speed, rate)
        # Raw records are messages of their own in any case: they are taken one by one only to be paced.
        self._records = _FRAME if raw and self._pace.flat_out else frame
        subjects = {file.subject for file in self._files}
        self.mixed = sorted(map(str, subjects)) if (raw or address.scheme != "kafka") else []
        self._final = sorted({settings.source.subject} if raw else subjects, key=str) if final else []
        self._target = _target(address, settings, milliseconds(parse_duration(timeout)) / 1000, raw)

    @property
    def told(self) -> Told:
        """What is acknowledged."""
        return self._target.told

    def run(self, stopped: Stopped, progress: Progress | None = None) -> Sent:
        """Send everything. Raises BrokerError, ConfigError."""
        failed = True
        try:
            sent = send(
                self._files,
                self._target,
                self._pace,
                records=self._records,
                final=self._final,
                stopped=stopped,
                progress=progress,
            )
            failed = False
        finally:
            self._target.close(0 if failed else _LAST_ANSWERS)
        return sent


def _target(address: Address, settings: Settings, timeout: float, raw: bool) -> Target:
    if address.scheme != "kafka":
        return HttpTarget.open(address, timeout)
    brokers = settings.kafka.model_copy(update={"brokers": address.hosts})
    return KafkaTarget.open(brokers, address.name, timeout, raw=raw)
