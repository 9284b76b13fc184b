"""What every library is given: the same rows as columns in memory, and as raw capture bytes."""

from collections.abc import Callable
from pathlib import Path

import msgspec
import pandas as pd
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

Action = Callable[[], list[str]]


class _Side(msgspec.Struct, gc=False):
    data: str


class _Sides(msgspec.Struct, rename="camel", gc=False):
    endpoint_input: _Side
    endpoint_output: _Side


class _Capture(msgspec.Struct, rename="camel", gc=False):
    capture_data: _Sides


class Data:
    """The files of a folder, cut to `rows`; the baseline is always whole. Each property reads its file."""

    def __init__(self, folder: Path, rows: int) -> None:
        self.folder, self.rows = folder, rows
        self._schema = pyarrow.parquet.read_schema(folder / "baseline.parquet")

    @property
    def baseline(self) -> pd.DataFrame:
        return pd.read_parquet(self.folder / "baseline.parquet")

    @property
    def table(self) -> pa.Table:
        whole = pyarrow.parquet.read_table(self.folder / "current.parquet", use_threads=False)
        return whole.slice(0, self.rows).combine_chunks()

    @property
    def frame(self) -> pd.DataFrame:
        return self.table.to_pandas()

    @property
    def captures(self) -> bytes:
        """Records, one a line."""
        with (self.folder / "captures.jsonl").open("rb") as file:
            return b"".join(line for line, _ in zip(file, range(self.rows), strict=False))

    @property
    def numeric(self) -> list[str]:
        return [field.name for field in self._schema if field.type != pa.string()]

    @property
    def text(self) -> list[str]:
        return [field.name for field in self._schema if field.type == pa.string()]

    def read(self, captures: bytes) -> pd.DataFrame:
        """Captures to a frame in the shortest fast way there is: typed JSON, then one CSV of all payloads.

        It trusts what it reads: one row a record, no quotes, and no record that is broken.
        """
        records = msgspec.json.Decoder(_Capture).decode_lines(captures)
        sides = [record.capture_data for record in records]
        rows = [f"{side.endpoint_output.data},{side.endpoint_input.data}" for side in sides]
        types = {field.name: field.type for field in self._schema}
        return pyarrow.csv.read_csv(
            pa.py_buffer("\n".join(rows).encode()),
            read_options=pyarrow.csv.ReadOptions(column_names=list(types), use_threads=False),
            convert_options=pyarrow.csv.ConvertOptions(column_types=types),
        ).to_pandas()
