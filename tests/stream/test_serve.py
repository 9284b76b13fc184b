"""The service: new captures, files that grow, silent endpoints, SIGKILL and SIGTERM."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from threading import Event

import pyarrow.dataset
import pytest

from made import HOUR, T0, capture, results, same, settings_for, traffic
from schemas.errors import StateError
from stream.directory import STATE
from stream.log import Log
from stream.replay import Replay
from stream.serve import Service


class Clock:
    def __init__(self, now: int) -> None:
        self.now = now

    def __call__(self) -> int:
        return self.now


def line(hour: float, name: str) -> bytes:
    return capture(T0 + int(hour * HOUR), [(0.5, 40, "rome")], name) + b"\n"


def reports(out: Path) -> dict[str, tuple[str, int]]:
    found = {}
    for path in sorted(out.glob("reports/**/report.json")):
        report = json.loads(path.read_bytes())
        found[report["window"]["start"][11:16]] = (report["status"], report["counts"]["records"])
    return found


@pytest.fixture
def places(tmp_path):
    captures = tmp_path / "captures"
    captures.mkdir()
    return captures, tmp_path / "out"


def test_new_files_and_growing_files_are_read_once(places):
    captures, out = places
    clock = Clock(T0 + 3 * HOUR)
    (captures / "a.jsonl").write_bytes(line(0.1, "a") + line(0.2, "b")[:-30])
    service = Service(settings_for(out, captures), now=clock)
    service.step()
    assert service.host.totals.records == 1
    (captures / "a.jsonl").write_bytes(line(0.1, "a") + line(0.2, "b"))
    (captures / "b.jsonl").write_bytes(line(1.5, "c"))
    service.step()
    service.step()
    assert service.host.totals.records == 3
    assert reports(out) == {"00:00": ("Completed", 2)}
    service.close()


def test_a_restart_reads_on_where_it_stopped(places):
    captures, out = places
    clock = Clock(T0 + 3 * HOUR)
    (captures / "a.jsonl").write_bytes(line(0.1, "a"))
    first = Service(settings_for(out, captures), now=clock)
    first.step()
    first.close()
    (captures / "b.jsonl").write_bytes(line(0.3, "b") + line(1.5, "c"))
    second = Service(settings_for(out, captures), now=clock)
    second.step()
    second.close()
    assert reports(out) == {"00:00": ("Completed", 2)}


def test_a_silent_endpoint_is_closed_by_the_clock_and_its_empty_hours_are_reported(places):
    """
    events   0:06 0:12 ........................ silence
    clock    0:15 heard      0:20 idle is 5 min; 0:00 is not over      2:10 both hours are
    """
    captures, out = places
    clock = Clock(T0 + HOUR // 4)
    (captures / "a.jsonl").write_bytes(line(0.1, "a") + line(0.2, "b"))
    settings = settings_for(out, captures)
    settings = settings.model_copy(
        update={"source": settings.source.model_validate({**settings.source.model_dump(), "idle": "5m"})}
    )
    service = Service(settings, now=clock)
    service.step()
    clock.now = T0 + HOUR // 3
    service.step()
    assert reports(out) == {}
    clock.now = T0 + 2 * HOUR + HOUR // 6
    service.step()
    service.step()
    assert reports(out) == {"00:00": ("Completed", 2), "01:00": ("NoData", 0)}
    service.close()


def test_old_captures_close_only_the_windows_that_hold_data(places):
    captures, out = places
    clock = Clock(T0 + 5000 * HOUR)
    (captures / "a.jsonl").write_bytes(line(0.1, "a"))
    service = Service(settings_for(out, captures), now=clock)
    service.step()
    clock.now += HOUR
    service.step()
    assert reports(out) == {"00:00": ("Completed", 1)}
    service.close()


def test_a_second_service_on_the_same_directory_is_refused(places):
    captures, out = places
    service = Service(settings_for(out, captures), now=Clock(T0))
    with pytest.raises(StateError, match="another streamgauge is using it"):
        Service(settings_for(out, captures), now=Clock(T0))
    service.close()


def test_a_replay_does_not_take_a_service_s_directory_even_with_overwrite(places):
    captures, out = places
    (captures / "a.jsonl").write_bytes(line(0.1, "a"))
    Service(settings_for(out, captures), now=Clock(T0 + HOUR)).close()
    with pytest.raises(StateError, match="belongs to streamgauge serve"):
        Replay(settings_for(out, captures), overwrite=True)


def start(captures: Path, out: Path) -> subprocess.Popen[bytes]:
    config = out.parent / "streamgauge.toml"
    config.write_text(
        f"output = {str(out)!r}\nbaseline = {str(out.parent / 'baseline')!r}\n"
        f"[source]\ncaptures = [{str(captures)!r}]\nendpoint = 'churn'\npoll = '50ms'\nidle = '1h'\n"
        "[checkpoint]\nrows = 150\ninterval = '300ms'\n"
    )
    command = [sys.executable, "-W", "ignore", "-c", "from stream.cli import main; main()"]
    with (out.parent / "log").open("ab") as log:
        return subprocess.Popen([*command, "serve", "--config", str(config)], stdout=log, stderr=log)


def wait_for(what, seconds: float = 60) -> None:
    """Poll for something another process does; there is no event to wait for."""
    until = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < until, "the service did not get there"
        time.sleep(0.02)


def delivered(out: Path) -> int:
    if not (out / "captures").exists():
        return 0
    return int(pyarrow.dataset.dataset(out / "captures", format="parquet").count_rows())


def test_the_service_killed_at_random_moments_reports_what_an_undisturbed_one_does(tmp_path):
    """Files come while it runs; SIGKILL four times, at moments nobody chose; then SIGTERM."""
    records = traffic(800)
    expected = tmp_path / "undisturbed"
    for work, kills in ((expected, 0), (tmp_path / "killed", 4)):
        captures, out = work / "captures", work / "out"
        captures.mkdir(parents=True)
        settings_for(out, captures)
        rng = random.Random(3)
        service = start(captures, out)
        for i in range(0, 800, 50):
            part = captures / f"part-{i:04}.jsonl"
            part.with_suffix(".tmp").write_bytes(b"\n".join(records[i : i + 50]) + b"\n")
            os.utime(part.with_suffix(".tmp"), (1, 1))
            part.with_suffix(".tmp").rename(part)
            time.sleep(0.05)
            if kills and i % 200 == 150:
                wait_for((out / STATE).exists)
                time.sleep(rng.random() * 0.4)
                service.send_signal(signal.SIGKILL)
                assert service.wait() == -signal.SIGKILL
                service = start(captures, out)
        wait_for(lambda out=out: delivered(out) >= 1584)
        service.send_signal(signal.SIGTERM)
        assert service.wait(timeout=30) == 0, (work / "log").read_text()[-2000:]
    done, undisturbed = results(tmp_path / "killed" / "out"), results(expected / "out")
    assert undisturbed["summary"]["counts"] == {
        "records": 800,
        "rows": 1584,
        "bad": 8,
        "late": 0,
        "filtered": 0,
    }
    same(done, undisturbed)


def test_a_baseline_may_be_added_between_two_starts(places):
    captures, out = places
    (captures / "a.jsonl").write_bytes(line(0.1, "a"))
    known = settings_for(out, captures)
    unknown = known.model_copy(update={"baseline": None})
    first = Service(unknown, now=Clock(T0 + HOUR))
    first.step()
    first.close()
    (captures / "b.jsonl").write_bytes(line(0.2, "b") + line(1.2, "c"))
    second = Service(known, now=Clock(T0 + HOUR))
    second.step()
    second.close()
    report = json.loads(next(out.glob("reports/**/report.json")).read_bytes())
    assert report["counts"] == {"records": 2, "rows": 1, "bad": 1, "late": 0, "filtered": 0}


def test_restarts_do_not_invent_windows_of_old_captures(places):
    captures, out = places
    (captures / "a.jsonl").write_bytes(line(0.1, "a"))
    clock = Clock(T0 + 5000 * HOUR)
    for _ in range(3):
        service = Service(settings_for(out, captures), now=clock)
        service.step()
        clock.now += HOUR
        service.step()
        service.close()
    assert reports(out) == {"00:00": ("Completed", 1)}


def test_a_service_that_is_told_to_stop_does_so_between_two_files(places):
    captures, out = places
    for name in "abc":
        (captures / f"{name}.jsonl").write_bytes(line(0.1, name))
    stop = Event()
    service = Service(settings_for(out, captures), stop, now=Clock(T0 + HOUR))
    take = service._take
    service._take = lambda *arguments: (take(*arguments), stop.set())  # type: ignore[method-assign]
    service.step()
    service.close()
    assert service.host.totals.records == 1


def test_a_service_leaves_a_foreign_directory_alone(places):
    captures, out = places
    out.mkdir()
    (out / "index.html").write_text("mine")
    with pytest.raises(StateError, match="did not make"):
        Service(settings_for(out, captures), now=Clock(T0))
    assert (out / "index.html").read_text() == "mine"


def test_the_log_is_emptied_of_what_is_covered(places):
    captures, out = places
    (captures / "a.jsonl").write_bytes(line(0.1, "a") + line(1.2, "b"))
    service = Service(settings_for(out, captures), now=Clock(T0 + 2 * HOUR))
    service.step()
    service.close()
    log = Log(out / STATE)
    assert log.read(0) == []
    assert log.end() == log.covered == 1
    log.close()
