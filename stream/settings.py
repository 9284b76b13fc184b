"""All that can be set, checked in one place: every mistake is named at once, with where it stands."""

import tomllib
from collections.abc import Iterator, Mapping
from datetime import timedelta
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Literal, Self, get_args, get_origin

from pydantic import Field, SecretStr, ValidationError, model_validator

from schemas.constraints import Defaults
from schemas.errors import ConfigError
from schemas.frame import Subject
from stream.choices import FilterSettings, Limits, SegmentSettings
from stream.explain_settings import ExplainSettings
from stream.fields import Directory, Duration, File, Name, Place
from stream.fields import Section as _Section
from stream.kafka_settings import KafkaSettings
from stream.label_settings import LabelSettings, QualitySettings
from stream.search_settings import SearchSettings

_IN_WORDS = {  # instead of what pydantic says to a Python programmer
    "extra_forbidden": "there is no such setting",
    "string_too_short": "must not be empty",
    "tuple_type": "must be a list",
    "dict_type": "must be a table",
    "model_type": "must be a table",
    "path_type": "must be a path, in quotes",
}


class WindowSettings(_Section):
    """Tumbling windows of event time, aligned to the epoch in UTC."""

    size: Duration = Field(
        timedelta(hours=1), ge=timedelta(seconds=1), le=timedelta(days=366), description="length of a window"
    )
    lateness: Duration = Field(
        timedelta(minutes=5), description="how long after its end a window waits for records that come late"
    )
    retention: Duration = Field(
        timedelta(0), description="how long after that a late record still re-opens it, as a new revision"
    )
    max_ahead: Duration = Field(
        timedelta(hours=1), description="a record whose event time is further after its arrival is bad"
    )


class ColumnSettings(_Section):
    """Which columns are the model's outputs, where the payload does not name them."""

    outputs: tuple[str, ...] | None = Field(None, description="names of the output columns, in order")
    output_position: Literal["START", "END"] = Field(
        "START", description="where outputs stand in the baseline, when they are not named"
    )


class CheckSettings(_Section):
    """When a difference counts, where the constraints file does not say; and what may be written of it."""

    minimum_sample_size: int = Field(
        30, ge=0, description="values that a window and its baseline must have for a statistical check"
    )
    false_discovery_rate: float = Field(
        0.05,
        ge=0.0,
        le=1.0,
        description="share of statistical findings that may be chance; 1 counts them all",
    )
    withhold_values: bool = Field(False, description="write no values of single rows into statistics.json")

    @property
    def defaults(self) -> Defaults:
        """What holds where a constraints file leaves it open."""
        return Defaults(self.minimum_sample_size, self.false_discovery_rate)


class EndpointSettings(_Section):
    """What differs for one endpoint."""

    baseline: Directory | None = Field(
        None, description="directory with constraints.json and statistics.json"
    )
    columns: ColumnSettings | None = None
    checks: CheckSettings | None = None
    preprocessor: File | None = Field(None, description="script with a preprocess_handler")
    filter: FilterSettings | None = None
    monitors: tuple[File, ...] | None = Field(None, description="files that register custom monitors")
    monitor_settings: dict[str, Limits] | None = None
    segments: tuple[SegmentSettings, ...] | None = Field(None, description="columns to watch by value")
    max_segments: int | None = Field(None, ge=1, le=1_000)
    quality: QualitySettings | None = None
    bias: File | None = Field(None, description="analysis_config.json of Clarify, as JSON or TOML")
    explain: ExplainSettings | None = None


class SourceSettings(_Section):
    """Where capture files are found, and whose a file is that does not lie in SageMaker's layout."""

    captures: tuple[Place, ...] = Field((), description="files or directories, local or s3://")
    endpoint: Name = Field("default", description="endpoint of files outside endpoint/variant/yyyy/mm/dd/hh")
    variant: Name = Field("AllTraffic", description="variant of such files")
    poll: Duration = Field(
        timedelta(seconds=5),
        gt=timedelta(0),
        description="how often serve looks for new captures",
    )
    idle: Duration = Field(
        timedelta(minutes=15), description="serve closes the windows of an endpoint silent for so long"
    )

    @property
    def subject(self) -> Subject:
        """Whose a capture file is that lies outside the layout."""
        return Subject(self.endpoint, self.variant)


class CheckpointSettings(_Section):
    """When state is stored and rows are delivered, whichever comes first."""

    rows: int = Field(50_000, ge=1, description="rows between checkpoints")
    max_bytes: int = Field(
        64 << 20, ge=1 << 20, description="bytes of rows and dead letters between checkpoints"
    )
    interval: Duration = Field(
        timedelta(seconds=30), description="time between checkpoints, in serve and worker"
    )


class KeySettings(_Section):
    """What a client may sign with."""

    access_key: Name = Field(description="access key id")
    secret_key: SecretStr = Field(min_length=1, description="secret access key")
    session_token: SecretStr | None = Field(None, description="asked for with it, where there is one")


class QuotaSettings(_Section):
    """What is taken before clients are told to slow down; 0 is without limit."""

    records_per_second: int = Field(0, ge=0, description="records a second and stream")
    mebibytes_per_second: float = Field(0, ge=0, description="MiB of records a second and stream")
    requests_per_second: int = Field(0, ge=0, description="puts a second and stream")
    control_per_second: int = Field(0, ge=0, description="calls a second that are no puts")
    streams: int = Field(5_000, ge=1, description="delivery streams")


class S3Settings(_Section):
    """S3, or what speaks its API."""

    endpoint: str | None = Field(None, description="URL of another service than AWS's")
    region: str | None = None


class OpenSearchSettings(_Section):
    """Clusters that delivery streams store documents in."""

    addresses: dict[str, str] = Field(default_factory=dict, description="URL of each DomainARN or endpoint")
    user: str | None = None
    password: SecretStr | None = None
    region: str | None = Field(None, description="sign requests with AWS credentials for this region")
    cadence: Duration = Field(timedelta(minutes=5), description="time between two tries")


class FirehoseSettings(_Section):
    """The HTTP API that AWS clients speak as Amazon Data Firehose: serve opens it where this table is."""

    host: Name = Field("127.0.0.1", description="address to listen at; keys are needed unless loopback")
    port: int = Field(4573, ge=0, le=65_535, description="port to listen at; 0 takes any that is free")
    region: Name | None = Field(None, description="region in ARNs; default is that of each signature")
    account: str = Field("000000000000", pattern=r"^\d{12}$", description="account in ARNs")
    keys: tuple[KeySettings, ...] = Field((), description="keys that requests must be signed with")
    allow_http: Literal["loopback", "always", "never"] = Field(
        "loopback", description="which HTTP and OpenSearch endpoints may be without TLS"
    )
    accept_compressed: bool = Field(
        False, description="take puts to streams that decompress; AWS takes them from CloudWatch Logs only"
    )
    creation_delay: Duration = Field(
        timedelta(0), description="how long a stream is CREATING, ENABLING, DELETING"
    )
    max_waiting_bytes: int = Field(10 * 2**30, ge=1, description="bytes that wait for delivery at most")
    request_timeout: Duration = Field(
        timedelta(seconds=60), gt=timedelta(0), description="how long a client may take to send a request"
    )
    quota: QuotaSettings = QuotaSettings()
    metrics_port: int | None = Field(
        None, ge=0, le=65_535, description="port of the same host that answers GET /metrics; none without it"
    )
    embedded_metrics: Duration = Field(
        timedelta(0), description="how often to append CloudWatch events to OUTPUT/metrics.jsonl; 0: never"
    )
    watch: dict[str, str] = Field(
        default_factory=dict, description="streams of capture records, and the endpoint that each is of"
    )
    labels: tuple[Name, ...] = Field((), description="streams of ground truth")
    kafka: str | None = Field(
        None, description="brokers of streams with a Kafka topic as source, host:port,..."
    )
    buckets: Directory | None = Field(None, description="directory of buckets; default OUTPUT/buckets")
    s3: S3Settings | None = Field(None, description="put objects into S3 instead")
    functions: dict[str, str] = Field(
        default_factory=dict, description="Lambda functions: FILE.py:function, module:function or a URL"
    )
    tables: File | None = Field(None, description="JSON file of tables that records are converted to")
    opensearch: OpenSearchSettings = OpenSearchSettings()
    keep_413: bool = Field(False, description="back up what an HTTP endpoint says is too large")

    @model_validator(mode="after")
    def _holds_one_kind(self) -> Self:
        if both := sorted(set(self.watch) & set(self.labels)):
            raise ValueError(
                f"{', '.join(both)}: in watch and in labels; a stream holds captures or ground truth"
            )
        return self


class Settings(_Section):
    """The whole configuration, as streamgauge.toml has it."""

    output: Directory = Field(
        Path("out"), description="directory for reports, rows, errors, alerts and state"
    )
    baseline: Directory | None = Field(None, description="baseline of every endpoint that names none")
    rows: Place | None = Field(
        None, description="where Parquet rows go, local or s3://; default OUTPUT/captures"
    )
    store: Place | None = Field(
        None, description="where a worker puts reports, rows and errors, local or s3://; default OUTPUT"
    )
    window: WindowSettings = WindowSettings()
    columns: ColumnSettings = ColumnSettings()
    checks: CheckSettings = CheckSettings()
    source: SourceSettings = SourceSettings()
    checkpoint: CheckpointSettings = CheckpointSettings()
    preprocessor: File | None = Field(None, description="script with a preprocess_handler")
    filter: FilterSettings = FilterSettings()
    monitors: tuple[File, ...] = Field((), description="files that register custom monitors")
    monitor_settings: dict[str, Limits] = Field(
        default_factory=dict, description="limits of custom monitors, instead of those in their files"
    )
    segments: tuple[SegmentSettings, ...] = Field((), description="columns to watch by value")
    max_segments: int = Field(50, ge=1, le=1_000, description="segments of one entry; the rest is (other)")
    labels: LabelSettings = LabelSettings()
    quality: QualitySettings = QualitySettings()
    bias: File | None = Field(None, description="analysis_config.json of Clarify, as JSON or TOML")
    explain: ExplainSettings | None = Field(None, description="attributions of each window, and their drift")
    endpoints: dict[str, EndpointSettings] = Field(default_factory=dict)
    firehose: FirehoseSettings | None = Field(None, description="the Firehose door of serve and ingest")
    kafka: KafkaSettings = KafkaSettings()
    opensearch: SearchSettings | None = Field(None, description="cluster that alerts and metrics go to")
    s3: S3Settings = S3Settings()

    @property
    def joins(self) -> bool:
        """Whether labels are to come."""
        return bool(self.labels.places or (self.firehose and self.firehose.labels))

    @property
    def quality_window(self) -> WindowSettings:
        """Windows of joined rows: they can change until their labels are not waited for any more."""
        return self.window.model_copy(update={"retention": self.labels.retention})

    @property
    def workers_join(self) -> bool:
        """Whether labels are to come to workers."""
        return self.joins or self.kafka.labels is not None


def load(path: Path | None, overrides: Mapping[str, Any] | None = None) -> Settings:
    """Settings from a TOML file, with `overrides` (nested as the file is) on top.

    Paths in the file are relative to the file. Raises ConfigError, which names every mistake.
    """
    document: dict[str, Any] = {}
    if path is not None:
        try:
            document = tomllib.loads(path.read_text("utf-8"))
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            raise ConfigError(f"{path}: {error}") from error
        _resolve(document, path.parent)
    _overlay(document, overrides or {})
    try:
        return Settings.model_validate(document)
    except ValidationError as error:
        problems = [_explain(problem) for problem in error.errors()]
        listed = problems[0] if len(problems) == 1 else "".join(f"\n  {problem}" for problem in problems)
        raise ConfigError(f"{path or 'settings'}: {listed}") from error


def _explain(problem: Mapping[str, Any]) -> str:
    place = ".".join(str(part) for part in problem["loc"])
    message = str(problem["msg"]).removeprefix("Value error, ").replace("Input should be", "must be")
    message = _IN_WORDS.get(problem["type"], message)
    if problem["type"] == "extra_forbidden" and (near := get_close_matches(place, _names(Settings), 1)):
        message += f"; did you mean {near[0]}?"
    return f"{place}: {message}"


def _names(section: type[_Section], prefix: str = "") -> Iterator[str]:
    """All settings and tables of settings with their places, such as window and window.size."""
    for name, field in section.model_fields.items():
        yield prefix + name
        inner = f"{prefix}{name}.NAME." if get_origin(field.annotation) is dict else f"{prefix}{name}."
        for kind in (field.annotation, *get_args(field.annotation)):
            if isinstance(kind, type) and issubclass(kind, _Section):
                yield from _names(kind, inner)


def _resolve(document: dict[str, Any], base: Path) -> None:
    """Make the paths of a file relative to it; what is no path is left for the check to refuse."""
    tables: list[Any] = [document]
    if isinstance(endpoints := document.get("endpoints"), dict):
        tables += endpoints.values()
    for table in tables:
        if isinstance(table, dict):
            _resolve_names(table, ("output", "store", "baseline", "rows", "preprocessor", "bias"), base)
            _resolve_list(table, "monitors", base)
            _resolve_names(table.get("quality"), ("baseline",), base)
            _resolve_names(explain := table.get("explain"), ("config", "background"), base)
            if isinstance(explain, dict) and "model" in explain:
                explain["model"] = _model(explain["model"], base)
    _resolve_list(document.get("source"), "captures", base)
    _resolve_list(document.get("labels"), "places", base)
    if isinstance(door := document.get("firehose"), dict):
        _resolve_names(door, ("buckets", "tables"), base)
        if isinstance(functions := door.get("functions"), dict):
            door["functions"] = {name: _function(place, base) for name, place in functions.items()}
    _resolve_names(document.get("opensearch"), ("ca",), base)
    if isinstance(kafka := document.get("kafka"), dict):
        _resolve_names(kafka, ("state",), base)
        _resolve_names(kafka.get("tls"), ("ca", "certificate", "key"), base)


def _resolve_names(table: Any, names: tuple[str, ...], base: Path) -> None:
    for name in names if isinstance(table, dict) else ():
        if isinstance(table.get(name), str):
            table[name] = _local(table[name], base)


def _function(place: Any, base: Path) -> Any:
    """`FILE.py:function` relative to the settings; a module or a URL as it is."""
    is_file = isinstance(place, str) and place.rpartition(":")[0].endswith(".py")
    return _local(place, base) if is_file else place


def _model(place: Any, base: Path) -> Any:
    """`FILE.py:name` or a file of a model relative to the settings; all else as it is."""
    is_file = isinstance(place, str) and place.endswith((".onnx", ".pkl", ".pickle", ".joblib"))
    return _local(place, base) if is_file else _function(place, base)


def _resolve_list(table: Any, name: str, base: Path) -> None:
    if isinstance(table, dict) and isinstance(table.get(name), list):
        table[name] = [_local(path, base) if isinstance(path, str) else path for path in table[name]]


def _local(path: str, base: Path) -> str:
    return path if "://" in path or not path else str(base / Path(path).expanduser())


def _overlay(document: dict[str, Any], over: Mapping[str, Any]) -> None:
    """Put `over` on top; a table of the file that is no table stays, for the check to refuse."""
    for name, value in over.items():
        if not isinstance(value, Mapping):
            document[name] = value
        elif isinstance(document.setdefault(name, {}), dict):
            _overlay(document[name], value)
