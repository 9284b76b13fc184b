"""Tables as Parquet and ORC files, with the options of the service's two serializers."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.orc
import pyarrow.parquet

_MIB = 1 << 20
_PARQUET_CODECS = {"UNCOMPRESSED": "none", "GZIP": "gzip", "SNAPPY": "snappy"}
_ORC_CODECS = {"NONE": "uncompressed", "ZLIB": "zlib", "SNAPPY": "snappy"}


class Format(NamedTuple):
    """A file format of converted records: its extension and how a table is written."""

    extension: str
    write: Callable[[pa.Table], pa.Buffer]


def of(serializer: Mapping[str, Any]) -> Format:
    """The OutputFormatConfiguration's Serializer. Raises ValueError with the member that is wrong.

    Paddings and the size of an HDFS block have no effect outside of Hadoop: they are taken and not used.
    """
    kinds = [kind for kind in ("ParquetSerDe", "OrcSerDe") if serializer.get(kind) is not None]
    if len(kinds) != 1:
        raise ValueError("a Serializer is either ParquetSerDe or OrcSerDe")
    given = {name: value for name, value in serializer[kinds[0]].items() if value is not None}
    return _parquet(given) if kinds[0] == "ParquetSerDe" else _orc(given)


def _parquet(given: Mapping[str, Any]) -> Format:
    block = _at_least(given, "BlockSizeBytes", 64 * _MIB, 256 * _MIB)
    page = _at_least(given, "PageSizeBytes", 1 << 16, _MIB)
    _at_least(given, "MaxPaddingBytes", 0, 0)
    options = {
        "compression": _PARQUET_CODECS[_one_of(given, "Compression", _PARQUET_CODECS, "SNAPPY")],
        "data_page_size": page,
        "data_page_version": {"V1": "1.0", "V2": "2.0"}[_one_of(given, "WriterVersion", ("V1", "V2"), "V1")],
        "use_dictionary": bool(given.get("EnableDictionaryCompression", False)),
    }

    def write(table: pa.Table) -> pa.Buffer:
        sink = pa.BufferOutputStream()
        pyarrow.parquet.write_table(table, sink, row_group_size=_rows(table, block), **options)
        return sink.getvalue()

    return Format(".parquet", write)


def _rows(table: pa.Table, nbytes: int) -> int:
    """Rows of a row group of about this size: pyarrow counts rows where Parquet counts bytes."""
    return max(1, int(nbytes * len(table) / max(table.nbytes, 1)))


def _orc(given: Mapping[str, Any]) -> Format:
    _at_least(given, "BlockSizeBytes", 64 * _MIB, 256 * _MIB)
    stripe = _at_least(given, "StripeSizeBytes", 8 * _MIB, 64 * _MIB)
    stride = _at_least(given, "RowIndexStride", 1_000, 10_000)
    versions = {"V0_11": "0.11", "V0_12": "0.12"}
    blooms = [name.lower() for name in given.get("BloomFilterColumns", ())]
    options = {
        "compression": _ORC_CODECS[_one_of(given, "Compression", _ORC_CODECS, "SNAPPY")],
        "stripe_size": stripe,
        "row_index_stride": stride,
        "padding_tolerance": _share(given, "PaddingTolerance", 0.05) if given.get("EnablePadding") else 0.0,
        "bloom_filter_fpp": _share(given, "BloomFilterFalsePositiveProbability", 0.05),
        "dictionary_key_size_threshold": _share(given, "DictionaryKeyThreshold", 1.0),
        "file_version": versions[_one_of(given, "FormatVersion", versions, "V0_12")],
    }

    def write(table: pa.Table) -> pa.Buffer:
        sink = pa.BufferOutputStream()
        columns = [index for index, name in enumerate(table.column_names) if name in blooms]
        pyarrow.orc.write_table(table, sink, bloom_filter_columns=columns or None, **options)
        return sink.getvalue()

    return Format(".orc", write)


def _at_least(given: Mapping[str, Any], member: str, least: int, default: int) -> int:
    value = int(given.get(member, default))
    if value < least:
        raise ValueError(f"{member} is {value}: it must be at least {least}")
    return value


def _share(given: Mapping[str, Any], member: str, default: float) -> float:
    value = float(given.get(member, default))
    if not 0 <= value <= 1:
        raise ValueError(f"{member} is {value}: it must be from 0 to 1")
    return value


def _one_of(given: Mapping[str, Any], member: str, allowed: Any, default: str) -> str:
    value = given.get(member, default)
    if value not in allowed:
        raise ValueError(f"{member} is {value!r}: it must be one of {', '.join(allowed)}")
    return str(value)
