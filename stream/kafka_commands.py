"""The commands of the distributed host: streamgauge topics, ingest and worker."""

import asyncio
import logging
import sys
from pathlib import Path

import click

from stream import topics
from stream.kafka_client import admin_client
from stream.logs import configure
from stream.settings import load
from stream.telling import say, told
from stream.work import run_worker


@click.command("topics", short_help="Make the topics of workers in Kafka.")
@click.option("--config", "-c", required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path),
              help="Settings, in TOML; those under [kafka] are used.")  # fmt: skip
@click.option("--dry-run", is_flag=True, help="Say what would be done, and do nothing.")
def make_topics(config: Path, dry_run: bool) -> None:
    """Make the topics that workers need, or bring those that there are to what the settings say.

    Safe to repeat. Partitions can be added, except to where endpoints are judged; none can be taken away.
    The number of replicas of a topic that there is must be changed by hand. A shorter kafka.retention drops
    what is older. Start workers anew after partitions were added.
    """
    with told():
        settings = load(config).kafka
        with admin_client(settings) as admin:
            done = topics.apply(admin, settings, dry_run=dry_run)
        for line in done or ["nothing to do: topics are as the settings say"]:
            say(line)


@click.command(short_help="Open a Firehose door in front of Kafka.")
@click.option("--config", "-c", required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path),
              help="Settings, in TOML; those under [kafka] and [firehose] are used.")  # fmt: skip
def ingest(config: Path) -> None:
    """Take records in as Amazon Data Firehose does, and put them into Kafka, until stopped.

    Nothing is kept on this machine: any number of these may stand behind a load balancer. Workers deliver the
    records. Topics must be there: see `streamgauge topics`.
    """
    with told():
        from stream.distributed.ingest import Ingest  # aiokafka takes a moment, and no other command needs it

        settings = load(config)
        configure(logging.INFO)
        asyncio.run(Ingest(settings).run())


@click.command(short_help="Run the stages on Kafka, beside other workers.")
@click.option("--config", "-c", required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path),
              help="Settings, in TOML, with a table [kafka].")  # fmt: skip
@click.option("--state", metavar="DIRECTORY", help="Local files of this worker.  [default: kafka.state]")
@click.option("--port", type=click.IntRange(0, 65_535), help="Port of metrics and health.")
def worker(config: Path, state: str | None, port: int | None) -> None:
    """Run the stages on Kafka: watch captures, judge windows, and deliver, until stopped.

    Any number of workers share the partitions; each needs a directory and a port of its own. Topics must be
    there: see streamgauge topics. Ctrl-C or SIGTERM stores everything and stops; after a crash the others,
    or the next start, go on without loss.
    """
    with told():
        given = {"state": state, "port": port}
        over = {"kafka": {name: value for name, value in given.items() if value is not None}}
        sys.exit(run_worker(load(config, over)))
