"""A door as a process of its own, which a test may kill, and boto3's client of it."""

import os
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

ROOT = Path(__file__).parents[2]
STREAMGAUGE = ("-c", "from stream.cli import main; main()")
_PATIENCE = 30.0  # seconds until a door is open


def started(log: Path, *arguments: object) -> subprocess.Popen[bytes]:
    """Python with these arguments; what it says is in the file `log`."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with log.open("wb") as file:
        command = [sys.executable, *map(str, arguments)]
        return subprocess.Popen(command, cwd=ROOT, env=environment, stderr=file, stdout=file)


def opened(process: subprocess.Popen[bytes], log: Path) -> int:
    """The port of its door, once that is open."""
    end = time.monotonic() + _PATIENCE
    while not (found := re.search(rb"door opened.*port=(\d+)", log.read_bytes())):
        assert process.poll() is None and time.monotonic() < end, log.read_text("utf-8", "replace")
        time.sleep(0.05)
    return int(found[1])


def client(port: int) -> Any:
    """A client that does not try twice."""
    return boto3.client(
        "firehose",
        endpoint_url=f"http://127.0.0.1:{port}",
        region_name="us-east-1",
        aws_access_key_id="a",
        aws_secret_access_key="b",
        config=Config(retries={"total_max_attempts": 1}, read_timeout=30),
    )
