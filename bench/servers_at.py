"""The servers that `make stack-up` has started, for measurements against real ones."""

import json
import os
from pathlib import Path

import boto3
import pyarrow.dataset
from msgspec import Struct
from pyarrow import fs

IDENTITY, CREDENTIAL = "local", "local-secret"  # of the stack's S3 server, which answers loopback only


class Servers(Struct, frozen=True):
    """Addresses, host:port."""

    kafka: str
    s3: str

    @classmethod
    def of(cls, stack: Path) -> "Servers":
        """Those of the folder that make stack-up uses (.stack). Ends the program when they do not run."""
        try:
            said = {name: (stack / "run" / f"{name}.json").read_text() for name in ("kafka", "s3")}
        except OSError as error:
            raise SystemExit(f"{error}: run make stack-up first") from error
        ports = {name: json.loads(text) for name, text in said.items()}
        os.environ |= {"AWS_ACCESS_KEY_ID": IDENTITY, "AWS_SECRET_ACCESS_KEY": CREDENTIAL}
        return cls(*(f"127.0.0.1:{ports[name]['ports'][name]}" for name in ("kafka", "s3")))

    def make_bucket(self, name: str) -> None:
        """An empty one."""
        client = boto3.client("s3", endpoint_url=f"http://{self.s3}", region_name="us-east-1")
        client.create_bucket(Bucket=name)
        client.close()

    def rows(self, place: str) -> int:
        """Rows of all Parquet objects under bucket/prefix."""
        found = fs.S3FileSystem(endpoint_override=self.s3, scheme="http", region="us-east-1")
        rows: int = pyarrow.dataset.dataset(place, filesystem=found, format="parquet").count_rows()
        return rows
