"""The jars of a server, fetched by Maven once and again when the POM changes."""

import hashlib
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

from servers.errors import StackError

HERE = Path(__file__).resolve().parents[1]
POM = HERE / "pom.xml"


def fetch(profile: str, jars: Path, say: Callable[[str], None]) -> None:
    """Put the jars of a profile into a directory; nothing is done when they are those of this POM."""
    stamp, wanted = jars / ".pom", hashlib.sha256(POM.read_bytes()).hexdigest()
    if stamp.exists() and stamp.read_text() == wanted:
        return
    maven = shutil.which("mvn")
    if maven is None:
        raise StackError(
            "Maven (mvn) is not on the PATH. Install it: apt-get install maven, or https://maven.apache.org."
        )
    say(f"{profile}: fetching its jars with Maven, once")
    shutil.rmtree(jars, ignore_errors=True)
    jars.mkdir(parents=True)
    command = [maven, "-q", "-B", "-f", POM, f"-P{profile}", "dependency:copy-dependencies"]
    command += ["-DincludeScope=runtime", f"-DoutputDirectory={jars}"]
    run = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if run.returncode:
        raise StackError(
            f"Maven could not fetch the jars of {profile}:\n{_tail(run.stdout)}\n"
            "It needs Maven Central or a mirror named in ~/.m2/settings.xml."
        )
    stamp.write_text(wanted)


def _tail(text: str) -> str:
    return "\n".join(text.strip().splitlines()[-15:])
