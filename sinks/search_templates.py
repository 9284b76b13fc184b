"""The indices of reports: what fields their documents have, and the index templates made of that.

Everything that knows a field's type is made of `INDICES`: mappings here, index patterns of dashboards.
Mappings are strict: a document with a field that is not declared is refused and kept aside, instead of
making up a type for it.
"""

from collections.abc import Mapping
from typing import Any, Literal

VERSION = 3  # of the templates: one more with each change of INDICES

Kind = Literal["date", "keyword", "text", "long", "double", "boolean", "stored"]

_TYPES: Mapping[Kind, Mapping[str, Any]] = {
    "date": {"type": "date"},
    # Lucene refuses a term above 32,766 bytes, and a character takes at most four of them.
    "keyword": {"type": "keyword", "ignore_above": 8_191},
    "text": {"type": "text"},
    "long": {"type": "long"},
    "double": {"type": "double"},
    "boolean": {"type": "boolean"},
    "stored": {"type": "text", "index": False, "norms": False},  # to be shown, not to be searched
}

_COMMON: Mapping[str, Kind] = {
    "@timestamp": "date",  # start of the window
    "window.start": "date",
    "window.end": "date",
    "endpoint": "keyword",
    "variant": "keyword",
    "model": "keyword",
    "monitor": "keyword",
    "report": "keyword",  # id of the report that it is of, the same for all its revisions
    "revision": "long",
    "status": "keyword",
}

INDICES: Mapping[str, Mapping[str, Kind]] = {
    "alerts": {
        **_COMMON,
        "feature": "keyword",
        "check": "keyword",
        "description": "text",
        "severity": "keyword",
        "rows": "long",
        "affected": "long",
        "first_seen": "date",
        "sample_event_ids": "keyword",
        "segment": "keyword",  # column=value, one for each column
        "metric_name": "keyword",  # of bias, of attributions, of a model's quality
        "facet_value": "keyword",
        "label": "keyword",
        "estimate": "boolean",  # it was made before labels came
    },
    "metrics": {
        **_COMMON,
        "feature": "keyword",
        "metric": "keyword",
        "facet_value": "keyword",  # of bias: the value of the facet, which is the feature
        "label": "keyword",  # of attributions: the model's output
        "value": "double",
        "reason": "text",  # why there is no value
        "estimate": "boolean",  # of a model's quality: estimated before labels came, or realized
        "standard_deviation": "double",
        "lower": "double",  # ends of the interval of 95 %
        "upper": "double",
        "rows": "long",  # that it rests on
        "threshold": "double",
        "comparison_operator": "keyword",  # of a model's quality: which side of the threshold is bad
        "baseline": "double",
        "method": "keyword",
        "enough": "boolean",
    },
    "reports": {
        **_COMMON,
        "records": "long",
        "rows": "long",
        "bad": "long",
        "late": "long",
        "filtered": "long",
        "labels.matched": "long",  # where it is about labels: predictions that have one, that may still get
        "labels.waiting": "long",  # one, and that will not
        "labels.expired": "long",
        "violations": "long",
    },
    "rejected": {
        "@timestamp": "date",
        "index": "keyword",
        "id": "keyword",
        "status": "keyword",  # the HTTP status of the document
        "reason": "text",
        "document": "stored",
    },
}


def mapping(fields: Mapping[str, Kind]) -> dict[str, Any]:
    """The strict mapping of these fields; a dot in a name is an object.

    >>> mapping({"window.start": "date"})["properties"]["window"]
    {'dynamic': 'strict', 'properties': {'start': {'type': 'date'}}}
    """
    top: dict[str, Any] = {"dynamic": "strict", "properties": {}}
    for name, kind in fields.items():
        *objects, last = name.split(".")
        inner = top
        for each in objects:
            inner = inner["properties"].setdefault(each, {"dynamic": "strict", "properties": {}})
        inner["properties"][last] = dict(_TYPES[kind])
    return top


def template(prefix: str, kind: str, shards: int, replicas: int) -> dict[str, Any]:
    """The index template of `<prefix>-<kind>`. It holds for that name alone: prefixes may begin alike."""
    settings = {"index": {"number_of_shards": shards, "number_of_replicas": replicas}}
    return {
        "index_patterns": [f"{prefix}-{kind}"],
        "priority": 500,
        "version": VERSION,
        "template": {"settings": settings, "mappings": mapping(INDICES[kind])},
    }
