"""What judging a window costs as partitions grow from 1 to 64, simulated in one process; prints Markdown.

python bench/partitions.py [RECORDS]

RECORDS of one window are spread over the partitions. News goes through the form in which it crosses Kafka.
"""

import sys

import gauge
import made
import timing
from monitors.data_quality import DataQuality
from schemas.decode import decode
from schemas.frame import Frame
from schemas.times import END_OF_TIME
from stream.distributed import news
from stream.distributed.news import Joiner, News, Sender
from stream.judge import Judge
from stream.settings import WindowSettings
from stream.watch import Watch


def measure(records: list[bytes], partitions: int) -> str:
    """A row of the table."""
    known = gauge.baseline()
    monitors = (DataQuality(known),)
    sender = Sender("bench/1")
    messages: list[bytes] = []
    for partition in range(partitions):
        watch = Watch(partition, WindowSettings(), lambda _: monitors)
        for _, frame in gauge.frames(records[partition::partitions], 10_000):
            watch.observe(decode(frame, known.layout()))
        watched = watch.observe(decode(Frame.completion(gauge.SUBJECT, END_OF_TIME), known.layout()))
        messages += sender.messages(news.told(gauge.SUBJECT, watched.partials, watched.progress))

    def judged() -> int:
        judge, joiner = Judge(WindowSettings(), lambda _: monitors, range(partitions)), Joiner()
        reports = []
        for offset, message in enumerate(messages):
            told = joiner.add(message, offset)
            if isinstance(told, News):
                partials = news.partials(told, lambda _: monitors)
                reports += judge.observe(told.subject, partials, told.progress)
        (report,) = reports
        return report.counts.rows

    assert judged() == len(records)
    spent = timing.best(judged)
    size = sum(map(len, messages))
    return f"| {partitions} | {size / 1024:,.0f} | {spent * 1_000:.1f} |"


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    timing.pin()
    records = made.captures(count, hours=0.9)
    print(f"{timing.machine(['pyarrow', 'numpy'])}; {count:,} records, 21 columns, best of three.\n")
    print("| partitions | news of the window, KiB | ms from news to report |")
    print("| --- | --- | --- |")
    for partitions in (1, 2, 4, 8, 16, 32, 64):
        print(measure(records, partitions), flush=True)


if __name__ == "__main__":
    main()
