"""Records a second that the Firehose door makes durable: PutRecordBatch over HTTP, as AWS clients send it.

python bench/door.py [SECONDS] [CONNECTIONS] [--signed] [--kafka=HOST:PORT]

With --kafka records go there instead of into a file, into topics of their own; brokers share the cores.

The door runs in a process pinned to one core, the clients in one pinned to another; requests are made before
the clock starts, since signing them in Python costs more than taking them. Signed ones are verified.
"""

import asyncio
import json
import multiprocessing
import os
import platform
import random
import sys
import tempfile
import time
from contextlib import closing
from multiprocessing.connection import Connection
from pathlib import Path

import boto3
from botocore.awsrequest import AWSResponse
from kafka import KafkaConsumer, TopicPartition

from schemas.delivery_stream import DeliveryStream
from schemas.frame import decode
from stream import topics
from stream.distributed.keeper import KafkaKeeper
from stream.ingest.door import Door
from stream.ingest.queue import Queue
from stream.kafka_client import admin_client, client_options
from stream.kafka_settings import KafkaSettings
from stream.settings import FirehoseSettings, KeySettings

RECORDS, SIZE = 500, 520
KEY = {"access_key": "bench", "secret_key": "bench"}


def record(rng: random.Random) -> bytes:
    """A capture record of CSV, of SIZE bytes."""
    data = ",".join(f"{rng.gauss(0, 1):.6f}" for _ in range(24))
    payload = {"observedContentType": "text/csv", "mode": "INPUT", "data": data, "encoding": "CSV"}
    about = {"eventId": f"{rng.getrandbits(128):032x}", "inferenceTime": "2026-01-01T00:00:00Z"}
    capture = {"captureData": {"endpointInput": payload}, "eventMetadata": about, "eventVersion": "0"}
    return json.dumps(capture).encode().ljust(SIZE)[:SIZE]


def request(rng: random.Random, port: int) -> bytes:
    """What boto3 sends for one PutRecordBatch, byte by byte."""
    sent: list[bytes] = []

    def keep(request, **_):
        headers = "".join(f"{name}: {_text(value)}\r\n" for name, value in request.headers.items())
        head = f"POST / HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n{headers}\r\n"
        sent.append(head.encode() + request.body)
        return AWSResponse(request.url, 200, {}, _Empty())

    url = f"http://127.0.0.1:{port}"
    keys = {"aws_access_key_id": KEY["access_key"], "aws_secret_access_key": KEY["secret_key"]}
    client = boto3.client("firehose", region_name="us-east-1", endpoint_url=url, **keys)
    client.meta.events.register("before-send.firehose.*", keep)
    records = [{"Data": record(rng)} for _ in range(RECORDS)]
    client.put_record_batch(DeliveryStreamName="bench", Records=records)
    return sent[0]


def _text(value: str | bytes) -> str:
    return value.decode() if isinstance(value, bytes) else value


class _Empty:
    def stream(self, **_):
        return iter([b'{"FailedPutCount":0,"RequestResponses":[]}'])


def serve(core: int, signed: bool, brokers: str, told: Connection) -> None:
    """The door, on one core, until told to stop; then tells the CPU seconds it took."""
    os.sched_setaffinity(0, {core})
    asyncio.run(_serve_kafka(brokers, signed, told) if brokers else _serve(signed, told))


async def _serve_kafka(brokers: str, signed: bool, told: Connection) -> None:
    kafka = KafkaSettings(brokers=(brokers,), app=f"bench-{os.getpid()}-{time.time_ns():x}")
    with admin_client(kafka) as admin:
        topics.apply(admin, kafka)
    keys = (KeySettings(**KEY),) if signed else ()
    firehose = FirehoseSettings(port=0, keys=keys)
    keeper = KafkaKeeper(kafka, firehose)
    await keeper.start()
    arn = "arn:aws:firehose:us-east-1:000000000000:deliverystream/bench"
    await keeper.define(DeliveryStream("bench", arn, "DirectPut", "ExtendedS3", {}, 0, 0))
    door = Door(firehose, keeper)
    await door.start()
    told.send(door.port)
    began = time.process_time()
    await asyncio.get_running_loop().run_in_executor(None, told.poll, None)
    busy = time.process_time() - began
    await door.stop()
    await keeper.stop()
    told.send((await asyncio.get_running_loop().run_in_executor(None, _count, kafka), busy))


def _count(kafka: KafkaSettings) -> int:
    """Records in the topic; their frames are deleted with it afterwards."""
    seen = 0
    with closing(KafkaConsumer(**client_options(kafka))) as consumer:
        places = [TopicPartition(kafka.records_topic, number) for number in range(kafka.partitions)]
        consumer.assign(places)
        consumer.seek_to_beginning(*places)
        ends = consumer.end_offsets(places)
        while any(consumer.position(place) < ends[place] for place in places):
            for messages in consumer.poll(timeout_ms=500).values():
                seen += sum(len(decode(message.value)) for message in messages)
    with admin_client(kafka) as admin:
        admin.delete_topics([topic.name for topic in topics.wanted(kafka)])
    return seen


async def _serve(signed: bool, told: Connection) -> None:
    with tempfile.TemporaryDirectory(dir=".") as directory:
        queue = Queue(Path(directory) / "queue.db", 2**40)
        arn = "arn:aws:firehose:us-east-1:000000000000:deliverystream/bench"
        await queue.define(DeliveryStream("bench", arn, "DirectPut", "ExtendedS3", {}, 0, 0))
        keys = (KeySettings(**KEY),) if signed else ()
        door = Door(FirehoseSettings(port=0, keys=keys), queue)
        await door.start()
        told.send(door.port)
        drain = asyncio.get_running_loop().run_in_executor(None, _drain, queue, told)
        told.send(await drain)
        await door.stop()
        queue.close()


def _drain(queue: Queue, told: Connection) -> tuple[int, float]:
    """Read what was stored and drop it, as delivery does, so that the disk does not fill; count it."""
    seen, began = 0, time.process_time()
    while not told.poll(0.05):
        while len(records := queue.read("bench", queue.covered("bench"), 32 * 2**20)):
            queue.commit("bench", int(records.sequence[-1]))
            seen += len(records)
    return seen, time.process_time() - began


async def client(port: int, requests: list[bytes], until: float, latencies: list[float]) -> None:
    """Sends one request after the other on one connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=2**20)
    turn = random.randrange(len(requests))
    while time.perf_counter() < until:
        turn = (turn + 1) % len(requests)
        began = time.perf_counter()
        writer.write(requests[turn])
        head = await reader.readuntil(b"\r\n\r\n")
        size = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
        body = await reader.readexactly(size)
        if not head.startswith(b"HTTP/1.1 200") or b'"FailedPutCount":0' not in body:
            raise SystemExit(f"refused: {body[:200]!r}")
        latencies.append(time.perf_counter() - began)
    writer.close()


async def load(port: int, requests: list[bytes], seconds: float, connections: int) -> list[float]:
    """Latencies of all requests, in seconds."""
    latencies: list[float] = []
    until = time.perf_counter() + seconds
    await asyncio.gather(*(client(port, requests, until, latencies) for _ in range(connections)))
    return latencies


def main(seconds: float = 10, connections: int = 8, signed: bool = False, brokers: str = "") -> None:
    """Measure and print."""
    mine, theirs = multiprocessing.Pipe()
    cores = sorted(os.sched_getaffinity(0))
    process = multiprocessing.get_context("spawn").Process(
        target=serve, args=(cores[0], signed, brokers, theirs)
    )
    process.start()
    os.sched_setaffinity(0, {cores[-1]})
    port = mine.recv()
    rng = random.Random(1)
    requests = [request(rng, port) for _ in range(20)]
    began = time.perf_counter()
    latencies = sorted(asyncio.run(load(port, requests, seconds, connections)))
    wall = time.perf_counter() - began
    time.sleep(1)
    mine.send("stop")
    stored, busy = mine.recv()
    process.join()
    accepted = len(latencies) * RECORDS
    print(f"{platform.machine()}, Python {platform.python_version()}, {connections=}, {signed=}, {brokers=}")
    print(
        f"accepted and durable  {accepted / wall:,.0f} records/s ({accepted * SIZE / wall / 2**20:.0f} MiB/s)"
    )
    print(f"latency of a batch    p50 {1e3 * latencies[len(latencies) // 2]:.1f} ms, ", end="")
    print(f"p99 {1e3 * latencies[int(len(latencies) * 0.99)]:.1f} ms")
    print(f"server core           {busy / (wall + 1):.0%} busy, delivery's reading included")
    print(f"read back             {stored:,} of {accepted:,} acknowledged")


if __name__ == "__main__":
    numbers = [argument for argument in sys.argv[1:] if not argument.startswith("-")]
    kafka = next((a.removeprefix("--kafka=") for a in sys.argv if a.startswith("--kafka=")), "")
    main(*map(int, numbers), signed="--signed" in sys.argv, brokers=kafka)
