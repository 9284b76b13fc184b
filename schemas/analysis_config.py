"""analysis_config.json of SageMaker Clarify, as far as it concerns bias; the same keys in TOML."""

import tomllib
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import Any

import msgspec
from msgspec import Struct

from schemas.errors import ConfigError

Value = str | int | float | bool

PRE_TRAINING = ("CDDL", "CI", "DPL", "JS", "KL", "KS", "LP", "TVD")
POST_TRAINING = ("AD", "CDDPL", "DAR", "DCA", "DCR", "DI", "DPPL", "DRR", "FT", "GE", "RD", "SD", "TE")

_OURS = ("intersections", "probability")  # not in SageMaker's
_KNOWN = (
    "version", "dataset_type", "dataset_uri", "headers", "label", "predicted_label", "features",
    "label_values_or_threshold", "probability_threshold", "facet", "group_variable", "facet_dataset_uri",
    "facet_headers", "predicted_label_dataset_uri", "predicted_label_headers", "joinsource_name_or_index",
    "excluded_columns", "segment_config", "time_series_data_config", "methods", "predictor", *_OURS,
)  # fmt: skip
_PATH = frozenset("[]*.@")  # of JMESPath: names of columns have none of these


class FacetConfig(Struct, frozen=True):
    """A sensitive column. Rows that hold one of `values` (or, of a number, more than it) are the
    disadvantaged side; without values each value of the column is compared with all others. Whether a number
    is a quantity is told by the baseline, unless `continuous` says it."""

    column: str
    values: tuple[Value, ...] = ()
    continuous: bool | None = None


class AnalysisConfig(Struct, frozen=True):
    """What to measure, columns by name.

    A row is predicted positive by its `predicted_label` or, where there is a `probability` column, when that
    is above `threshold`. `intersections` are pairs of facets that are looked at together.
    """

    label: str | None
    positive: tuple[Value, ...]
    facets: tuple[FacetConfig, ...]
    group: str | None = None
    predicted: str | None = None
    probability: str | None = None
    threshold: float = 0.5
    excluded: tuple[str, ...] = ()
    headers: tuple[str, ...] = ()
    intersections: tuple[tuple[str, str], ...] = ()
    pre_training: tuple[str, ...] = PRE_TRAINING
    post_training: tuple[str, ...] = POST_TRAINING


def parse(text: bytes, source: str = "analysis_config.json", names: Sequence[str] = ()) -> AnalysisConfig:
    """Read a configuration: TOML where `source` ends so, else JSON.

    `names` are the columns of the data; they are what an index stands for where the file has no headers.
    Raises ConfigError, naming every mistake.

    >>> parse(b'{"label": "y", "label_values_or_threshold": [1], "facet": [{"name_or_index": 3}]}')
    Traceback (most recent call last):
      ...
    schemas.errors.ConfigError: analysis_config.json: facet 0: there is no column 3: 0 columns are known
    """
    document = load(text, source)
    reader = _Reader(document, names)
    config = reader.config()
    if reader.problems:
        raise ConfigError(f"{source}: " + "; ".join(reader.problems))
    return config


def load(text: bytes, source: str) -> dict[str, Any]:
    """The document, unchecked. Raises ConfigError."""
    try:
        document: Any = (
            tomllib.loads(text.decode()) if source.endswith(".toml") else msgspec.json.decode(text)
        )
    except (msgspec.MsgspecError, tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ConfigError(f"{source}: not an analysis configuration: {error}") from error
    if not isinstance(document, dict):
        raise ConfigError(f"{source}: not an analysis configuration: no object")
    return document


class _Reader:
    """Reads one document, and collects what is wrong with it."""

    def __init__(self, document: Mapping[str, Any], names: Sequence[str]) -> None:
        self._document = document
        self.problems: list[str] = []
        self._headers: tuple[str, ...] = self._get(document, "headers", tuple[str, ...], ())
        self._names = self._headers or tuple(names)

    def config(self) -> AnalysisConfig:
        document = self._document
        self._check_keys()
        label, predicted = self._labels()
        facets = self._facets()
        methods = self._get(document, "methods", dict[str, Any] | None, None)
        config = AnalysisConfig(
            label,
            self._positive(label or predicted),
            facets,
            self._column(document, "group_variable"),
            predicted,
            self._column(document, "probability", beside=True),
            self._get(document, "probability_threshold", float, 0.5),
            self._excluded(),
            self._headers,
            self._intersections([facet.column for facet in facets]),
            self._methods(methods, "pre_training_bias", PRE_TRAINING),
            self._methods(methods, "post_training_bias", POST_TRAINING),
        )
        if not config.pre_training and not config.post_training:
            self.problems.append("methods: neither pre_training_bias nor post_training_bias")
        if label is None and config.probability is None and predicted is None:
            self.problems.append("no label, no predicted_label and no probability: nothing can be measured")
        return config

    def _check_keys(self) -> None:
        """A key that is nearly one of those known is a slip; others may be newer than this program."""
        for key in self._document:
            if key not in _KNOWN and (near := get_close_matches(key, _KNOWN, 1, 0.8)):
                self.problems.append(f"there is no {key}; did you mean {near[0]}?")

    def _labels(self) -> tuple[str | None, str | None]:
        """Names of the label and the predicted label; those given by a path into JSON are the last
        headers."""
        given = {key: self._document.get(key) for key in ("label", "predicted_label")}
        paths = [key for key, value in given.items() if self._is_path(value)]
        named = dict(zip(paths, self._headers[len(self._headers) - len(paths) :], strict=False))
        found = [named.get(key) or self._column(self._document, key, beside=key != "label") for key in given]
        return found[0], found[1]

    def _is_path(self, value: Any) -> bool:
        return isinstance(value, str) and value not in self._names and not _PATH.isdisjoint(value)

    def _positive(self, label: str | None) -> tuple[Value, ...]:
        values = self._values(self._document, "label_values_or_threshold", "")
        if not values and label is not None:
            self.problems.append("label_values_or_threshold is missing: which labels are positive?")
        return values

    def _facets(self) -> tuple[FacetConfig, ...]:
        found = self._document.get("facet")
        entries = [found] if isinstance(found, dict) else found
        if not isinstance(entries, list) or not entries:
            self.problems.append("facet is missing: a list of {name_or_index, value_or_threshold}")
            return ()
        facets = []
        for place, entry in enumerate(entries):
            where = f"facet {place}"
            if not isinstance(entry, dict):
                self.problems.append(f"{where} is not an object")
            elif (column := self._column(entry, "name_or_index", where, needed=True)) is not None:
                values = self._values(entry, "value_or_threshold", where)
                facets.append(FacetConfig(column, values, self._get(entry, "continuous", bool, None)))
        columns = [facet.column for facet in facets]
        if twice := sorted({name for name in columns if columns.count(name) > 1}):
            self.problems.append(f"facet: named twice: {', '.join(twice)}")
        return tuple(facets)

    def _intersections(self, facets: Sequence[str]) -> tuple[tuple[str, str], ...]:
        pairs: Any = self._get(self._document, "intersections", tuple[tuple[str, str], ...], ())
        for pair in pairs:
            if strange := [name for name in pair if name not in facets]:
                self.problems.append(f"intersections: no facet {', '.join(strange)}")
            elif pair[0] == pair[1]:
                self.problems.append(f"intersections: {pair[0]} with itself")
        return tuple(pairs)

    def _methods(
        self, methods: Mapping[str, Any] | None, stage: str, known: Sequence[str]
    ) -> tuple[str, ...]:
        """Metrics of a stage, in order of their names. A monitor's configuration has no methods: all of
        them."""
        if methods is None:
            return tuple(known)
        block = methods.get(stage)
        if block is None:
            return ()
        asked = block.get("methods", "all") if isinstance(block, dict) else block
        if asked == "all":
            return tuple(known)
        if not isinstance(asked, list) or not asked:
            self.problems.append(f'methods.{stage}: methods must be "all" or a list of metrics')
            return ()
        if strange := [str(name) for name in asked if name not in known]:
            self.problems.append(
                f"methods.{stage}: no metric {', '.join(strange)}; there are {', '.join(known)}"
            )
        return tuple(name for name in known if name in asked)

    def _excluded(self) -> tuple[str, ...]:
        found = self._document.get("excluded_columns") or []
        listed = found if isinstance(found, list) else [found]
        joined = self._document.get("joinsource_name_or_index")
        listed = [*listed, *([] if joined is None or self._is_path(joined) else [joined])]
        names = (self._named(value, "excluded_columns") for value in listed)
        return tuple(name for name in names if name is not None)

    def _column(
        self, holder: Mapping[str, Any], key: str, where: str = "", needed: bool = False, beside: bool = False
    ) -> str | None:
        """A column's name; one `beside` the data set's may have a name that the headers do not have."""
        value: Any = holder.get(key)
        if beside and isinstance(value, str) and value:
            return str(value)
        if value is None:
            if needed:
                self.problems.append(f"{where}: {key} is missing")
            return None
        return self._named(value, where or key)

    def _named(self, value: object, where: str) -> str | None:
        """The name of a column given by name or index."""
        if isinstance(value, str) and value:
            if self._headers and value not in self._headers:
                self.problems.append(f"{where}: headers have no {value}")
            return value
        if type(value) is int:
            if 0 <= value < len(self._names):
                return str(self._names[value])
            self.problems.append(f"{where}: there is no column {value}: {len(self._names)} columns are known")
            return None
        self.problems.append(f"{where}: {value!r} is neither a name nor an index")
        return None

    def _values(self, holder: Mapping[str, Any], key: str, where: str) -> tuple[Value, ...]:
        found = holder.get(key)
        listed = found if isinstance(found, list) else [] if found is None else [found]
        if all(isinstance(value, str | int | float) for value in listed):
            return tuple(listed)
        place = f"{where}: {key}" if where else key
        self.problems.append(f"{place}: must be a list of texts and numbers")
        return ()

    def _get(self, holder: Mapping[str, Any], key: str, kind: Any, default: Any) -> Any:
        if holder.get(key) is None:
            return default
        try:
            return msgspec.convert(holder[key], kind)
        except msgspec.ValidationError as error:
            self.problems.append(f"{key}: {error}")
            return default
