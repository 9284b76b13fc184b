"""Starting and stopping servers, with small programs in place of servers and of Java."""

import socket
import sys
from pathlib import Path

import pytest

from servers import java, running
from servers.errors import StackError
from servers.process import Process
from servers.running import Folder

FOREVER = "import time; time.sleep(600)"
PORTS = {"s3": 1}


def started(folder: Folder, name: str, program: str = FOREVER) -> Process:
    mark = f"mark-{folder.path}"
    process = Process.start([sys.executable, "-c", program, mark], mark, PORTS, folder.log(name))
    process.write(folder.process_file(name))
    return process


def jdk(home: Path, version: str, *, compiles: bool = True) -> Path:
    (home / "bin").mkdir(parents=True)
    for program in ("java", "javac") if compiles else ("java",):
        (home / "bin" / program).touch(mode=0o755)
    (home / "release").write_text(f'JAVA_VERSION="{version}"\n')
    return home


def test_down_stops_what_up_has_started_and_forgets_it(tmp_path: Path):
    folder = Folder(tmp_path)
    process = started(folder, "s3")
    assert process.runs
    assert running.down(folder, ["s3"]) == ["s3"]
    assert not process.runs and running.state(folder, "s3") == "stopped"
    assert running.down(folder, ["s3"]) == []


def test_one_that_does_not_listen_to_reason_is_killed(tmp_path: Path):
    folder = Folder(tmp_path)
    deaf = (
        f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); {FOREVER}"
    )
    process = started(folder, "s3", deaf)
    while "deaf" not in running.tail(folder.log("s3")):
        assert process.runs
    running.down(folder, ["s3"], patience=0.2)
    assert not process.runs


def test_one_that_ended_by_itself_has_crashed(tmp_path: Path):
    folder = Folder(tmp_path)
    process = started(folder, "s3", "print('no memory')")
    while process.runs:
        pass
    assert running.state(folder, "s3") == "crashed"
    assert running.tail(folder.log("s3")) == "no memory"


def test_a_process_that_has_its_number_by_now_is_left_alone(tmp_path: Path):
    folder = Folder(tmp_path)
    other = started(Folder(tmp_path / "other"), "s3")
    Process(other.pid, "mark of one long gone", PORTS).write(folder.process_file("s3"))
    assert running.state(folder, "s3") == "crashed"
    assert running.down(folder, ["s3"]) == []
    assert other.runs
    other.stop()


def test_a_port_that_another_program_has_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("JAVA_HOME", str(jdk(tmp_path / "jdk", "17.0.1")))
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(StackError, match=rf"Port {port} of 127.0.0.1, for s3, is taken.*--s3-port"):
            running.up(Folder(tmp_path), ["s3"], {**running.DEFAULT_PORTS, "s3": port}, say=lambda line: None)


def test_the_first_jdk_that_is_new_enough_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PATH", "")
    monkeypatch.setenv("JAVA_HOME", str(jdk(tmp_path / "jdk-17", "17.0.15")))
    jdk(tmp_path / "jre-25", "25.0.3", compiles=False)
    newer = jdk(tmp_path / "jdk-26", "26")
    old = jdk(tmp_path / "jdk-8", "1.8.0_402")
    assert java.find(17, "kafka").version == 17
    assert java.find(21, "opensearch").home == newer
    assert java.Java(old, 8) in list(java.installed())


def test_without_a_jdk_that_is_new_enough_those_found_are_listed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("PATH", "")
    monkeypatch.setenv("JAVA_HOME", str(jdk(tmp_path / "jdk-17", "17.0.15")))
    with pytest.raises(StackError, match="opensearch needs a JDK of version 21 or newer; found: 17 in "):
        java.find(21, "opensearch")
    monkeypatch.delenv("JAVA_HOME")
    with pytest.raises(StackError, match="found: no Java at all"):
        java.find(17, "kafka")
