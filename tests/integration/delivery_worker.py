"""A worker that only delivers: delivery_worker.py CONFIG STATE."""

import logging
import sys
from pathlib import Path

import faust

from stream.distributed.consumer import WorkerApp
from stream.distributed.delivery_agent import add_delivery
from stream.settings import load


def main(config: Path, state: Path) -> None:
    settings = load(config)
    kafka = settings.kafka
    app = WorkerApp(
        kafka.app,
        broker=[f"kafka://{broker}" for broker in kafka.brokers],
        store="rocksdb://",
        datadir=str(state),
        topic_partitions=kafka.partitions,
        topic_disable_leader=True,
        topic_allow_declare=False,
        broker_session_timeout=kafka.session_timeout.total_seconds(),
        broker_heartbeat_interval=2.0,
        stream_wait_empty=False,
        web_enabled=False,
    )
    add_delivery(app, settings)
    faust.Worker(app, loglevel=logging.INFO, redirect_stdouts=False).execute_from_commandline()


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
