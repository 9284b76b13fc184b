"""Which Java a server runs on: the first that is new enough of JAVA_HOME, PATH, and those beside them."""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from servers.errors import StackError


@dataclass(frozen=True, slots=True)
class Java:
    """One installation."""

    home: Path
    version: int  # 17, 21, ...

    @property
    def program(self) -> Path:
        return self.home / "bin" / "java"

    @property
    def is_jdk(self) -> bool:
        """Whether it compiles, as a server that starts from a source file needs."""
        return (self.home / "bin" / "javac").exists()


def find(least: int, server: str) -> Java:
    """The first JDK of at least that version. Raises StackError, which lists what was found instead."""
    found = list(installed())
    for java in found:
        if java.version >= least and java.is_jdk:
            return java
    listed = ", ".join(
        f"{java.version}{'' if java.is_jdk else ' without compiler'} in {java.home}" for java in found
    )
    raise StackError(
        f"{server} needs a JDK of version {least} or newer; found: {listed or 'no Java at all'}.\n"
        f"Install one (apt-get install default-jdk-headless, or https://adoptium.net) beside these,"
        f" or set JAVA_HOME to it."
    )


def installed() -> Iterator[Java]:
    """Every Java that can be seen, the most explicit first, each once."""
    seen = set()
    for home in _homes():
        if home not in seen and (version := _version(home)):
            seen.add(home)
            yield Java(home, version)


def _homes() -> Iterator[Path]:
    explicit = []
    if given := os.environ.get("JAVA_HOME"):
        explicit.append(Path(given).resolve())
    if program := shutil.which("java"):
        explicit.append(Path(program).resolve().parents[1])
    yield from explicit
    for home in explicit:
        if home.parent.is_dir():
            yield from sorted(beside.resolve() for beside in home.parent.iterdir() if _has_java(beside))


def _has_java(home: Path) -> bool:
    return os.access(home / "bin" / "java", os.X_OK)


def _version(home: Path) -> int | None:
    """Of the file that every JDK carries, else of what it says itself."""
    if not _has_java(home):
        return None
    try:
        said = (home / "release").read_text("utf-8", "replace")
    except OSError:
        said = subprocess.run(
            [home / "bin" / "java", "-version"], stderr=subprocess.PIPE, text=True, check=False
        ).stderr
    match = re.search(r'version(?:=| )"(?:1\.)?(\d+)', said, re.IGNORECASE)
    return int(match[1]) if match else None
