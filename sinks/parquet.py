"""Decoded rows as Parquet objects, Hive-partitioned by endpoint, variant, date and hour of the event."""

from collections.abc import Iterable, Iterator, Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet

from schemas.columns import ARROW, fits
from schemas.decode import Decoded
from schemas.frame import Subject
from schemas.layout import Layout
from schemas.rows import Rows
from schemas.times import to_datetime
from sinks.objects import Objects, range_name, segment

_HOUR = 3_600_000
_PARTITION_KEYS = ("endpoint", "variant", "date", "hour")
_DIFFERENT = ("_event_id", "_inference_id", "_event_time")
_ABOUT: Mapping[str, pa.DataType] = {
    "_event_id": pa.string(),
    "_inference_id": pa.string(),
    "_event_time": pa.timestamp("ms", "UTC"),
    "_row": pa.int32(),
    "_other": pa.map_(pa.string(), pa.string()),
}


def schema(layout: Layout) -> pa.Schema:
    """The columns of every object: what is known of the record, then the baseline's columns by its types.

    `_other` keeps as text what fits none of them: values of another type, and columns of other names.
    """
    fields = [pa.field(name, kind) for name, kind in _ABOUT.items()]
    for name, kind in layout.columns.items():
        fields.append(pa.field(_stored(name), ARROW.get(kind, pa.string())))
    return pa.schema(fields)


def _stored(name: str) -> str:
    """The column of a feature: its name, with one more `_` behind it where that is taken.

    >>> [_stored(name) for name in ("age", "hour", "hour_", "_row")]
    ['age', 'hour_', 'hour__', '_row_']
    """
    bare = name.rstrip("_")
    return f"{name}_" if bare in _PARTITION_KEYS or bare in _ABOUT else name


def typed(decoded: Decoded, rows: Rows, layout: Layout) -> pa.Table:
    """`rows` in the declared schema, in the order in which their records came."""
    wanted = schema(layout)
    others: list[tuple[str, pa.Array]] = []
    arrays: dict[str, pa.Array] = {}
    for name in rows.columns.column_names:
        column = rows.columns[name].combine_chunks()
        stored = _stored(name)
        wanted_type = wanted.field(stored).type if name in layout.columns else None
        if wanted_type is None:
            others.append((name, column.cast(pa.string())))
        elif column.type == wanted_type:
            arrays[stored] = column
        else:
            fitting = pa.array(fits(column, wanted_type))
            arrays[stored] = pc.if_else(fitting, column, None).cast(wanted_type)
            others.append((name, pc.if_else(fitting, None, column)))
    record = rows.record
    arrays["_event_id"] = decoded.event_id.take(pa.array(record))
    arrays["_inference_id"] = decoded.inference_id.take(pa.array(record))
    times = pa.array(decoded.event_time[record], pa.int64())
    arrays["_event_time"] = times.cast(pa.timestamp("ms", "UTC"))
    arrays["_row"] = pa.array(rows.row, pa.int32())
    arrays["_other"] = _others(others, len(rows))
    columns = [
        arrays[field.name] if field.name in arrays else pa.nulls(len(rows), field.type) for field in wanted
    ]
    return pa.Table.from_arrays(columns, schema=wanted)


def _others(columns: list[tuple[str, pa.Array]], n: int) -> pa.Array:
    if not columns:
        return pa.nulls(n, _ABOUT["_other"])
    names = [name for name, _ in columns]
    values = zip(*(column.to_pylist() for _, column in columns), strict=True)
    maps = [[(k, v) for k, v in zip(names, row, strict=True) if v is not None] or None for row in values]
    return pa.array(maps, _ABOUT["_other"])


def write(
    objects: Objects,
    tables: Iterable[tuple[Subject, pa.Table]],
    partition: int,
    first_offset: int,
    log: str = "",
) -> int:
    """Write rows, one object for each subject and hour; gives the number of objects.

    Names hold what tells this log from others, the partition and the first offset, and nothing else: writing
    the same range again replaces the same objects, and two writers into one place do not meet.
    """
    by_subject: dict[Subject, list[pa.Table]] = {}
    for subject, table in tables:
        by_subject.setdefault(subject, []).append(table)
    name = range_name(log, partition, first_offset)
    written = 0
    for subject, parts in by_subject.items():
        for hour, table in _by_hour(pa.concat_tables(parts).combine_chunks()):
            body = pa.BufferOutputStream()
            pyarrow.parquet.write_table(table, body, compression="zstd", use_dictionary=_repeating(table))
            objects.put(_key(subject, hour, name), body.getvalue())
            written += 1
    return written


def _repeating(table: pa.Table) -> list[str]:
    """Columns whose values may come again, so that a dictionary of them is worth while: ids do not."""
    return [name for name in table.column_names if name not in _DIFFERENT]


def _by_hour(table: pa.Table) -> Iterator[tuple[int, pa.Table]]:
    """The rows of each hour (ms since the epoch), in the order in which they came."""
    hours = np.asarray(table["_event_time"].cast(pa.int64())) // _HOUR * _HOUR
    order = np.argsort(hours, kind="stable")
    found, first = np.unique(hours[order], return_index=True)
    ordered = table.take(pa.array(order))
    for hour, start, stop in zip(found.tolist(), first, [*first[1:], len(order)], strict=True):
        yield hour, ordered.slice(start, stop - start)


def _key(subject: Subject, hour: int, name: str) -> str:
    when = to_datetime(hour)
    model = f"{segment(subject.model)}-" if subject.model else ""
    return (
        f"endpoint={segment(subject.endpoint)}/variant={segment(subject.variant)}/date={when:%Y-%m-%d}/"
        f"hour={when:%H}/{model}{name}.parquet"
    )
