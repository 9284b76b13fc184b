"""Wall time, memory and the machine's shape, for a process that measures: Linux only, Python alone."""

import ctypes
import gc
import os
import platform
import time
from collections.abc import Callable, Iterable
from datetime import date
from importlib.metadata import version
from pathlib import Path

_STATUS = Path("/proc/self/status")
_RESET_PEAK = "5"  # what clear_refs takes to mean: the peak is what is held now


def pin() -> None:
    """Stay on one core: the last of those allowed, for work of others tends to the first."""
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})


def best(action: Callable[[], object], repeats: int = 3) -> float:
    """The shortest of some wall times, in seconds: other work on the machine only ever adds."""
    times = []
    for _ in range(repeats):
        began = time.perf_counter()
        action()
        times.append(time.perf_counter() - began)
    return min(times)


def resident() -> float:
    """Memory held now, MiB."""
    return _status("VmRSS")


def peak() -> float:
    """The most memory held since the start, or since `forget_peak`, MiB."""
    return _status("VmHWM")


def forget_peak() -> None:
    """Count the peak anew from what is held now, once what is free was given back: it could hide a growth."""
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    Path("/proc/self/clear_refs").write_text(_RESET_PEAK)


def three_digits(rate: float) -> str:
    """A rate, without the digits that another run would not repeat.

    >>> three_digits(123_456.7)
    '123,000'
    """
    return f"{float(f'{rate:.3g}'):,.0f}"


def _status(name: str) -> float:
    line = next(line for line in _STATUS.read_text().splitlines() if line.startswith(f"{name}:"))
    return int(line.split()[1]) / 1024


def machine(packages: Iterable[str]) -> str:
    """The day, the processor and the versions that figures were measured with."""
    facts = dict(line.split(":", 1) for line in Path("/proc/cpuinfo").read_text().splitlines() if ":" in line)
    told = {name.strip(): value.strip() for name, value in facts.items()}
    wide = ", AVX-512" if "avx512f" in told.get("flags", "") else ""
    family = (
        f"family {told['cpu family']}, model {told['model']}" if "cpu family" in told else "unknown family"
    )
    parts = [
        f"{date.today()}, one of {os.cpu_count()} cores ({platform.machine()}, {told.get('vendor_id', '?')}, "
        f"{family}{wide})",
        f"Python {platform.python_version()}",
        *(f"{package} {version(package)}" for package in packages),
    ]
    return ", ".join(parts)
