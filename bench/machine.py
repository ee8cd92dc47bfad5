"""The machine that measures, in words: what figures can depend on."""

import os
import platform
import re
import sqlite3
import statistics
import subprocess
import tempfile
import time
from functools import cache
from pathlib import Path

import psutil

from tests.postgres_binaries import PostgresUnavailableError, find_binaries

SYNCS, BLOCK = 100, b"x" * 4096
LOAD_BEFORE = os.getloadavg()[0]
"""Of the last minute, when the benchmark began."""


@cache
def machine() -> str:
    """Processor, memory, kernel, disk and how long it takes to sync, versions, and what else the
    machine did before; measured once in a process."""
    memory = psutil.virtual_memory().total / 2**30
    folder = Path(tempfile.gettempdir())
    parts = (
        f"{os.cpu_count()} cores ({_processor()})",
        f"{memory:.0f} GiB memory",
        f"{platform.system()} {platform.release()}",
        f"{_file_system(folder)} with {time_sync(folder):.2f} ms for an fdatasync of 4 KB",
        f"Python {platform.python_version()}",
        f"SQLite {sqlite3.sqlite_version}",
        *_versions(),
        f"a load of {LOAD_BEFORE:.1f} before",
    )
    return ", ".join(parts)


def time_sync(folder: Path, count: int = SYNCS) -> float:
    """Milliseconds, the median."""
    times = []
    with tempfile.TemporaryFile(dir=folder) as file:
        for _ in range(count):
            file.write(BLOCK)
            file.flush()
            began = time.perf_counter()
            os.fdatasync(file.fileno())
            times.append((time.perf_counter() - began) * 1_000)
    return statistics.median(times)


def _processor() -> str:
    """Its model, as Linux tells it."""
    file = Path("/proc/cpuinfo")
    found = re.search(r"^model name\s*:\s*(.+)$", file.read_text(), re.M) if file.exists() else None
    return found[1].strip() if found else platform.machine()


def _file_system(folder: Path) -> str:
    """The kind of file system that databases are made on."""
    mounts = {Path(each.mountpoint): each.fstype for each in psutil.disk_partitions(all=True)}
    for place in (folder.resolve(), *folder.resolve().parents):
        if place in mounts:
            return mounts[place]
    return "an unknown file system"


def _versions() -> list[str]:
    try:
        postgres = [str(find_binaries() / "postgres"), "--version"]
    except PostgresUnavailableError:
        postgres = []
    asked = {"PostgreSQL": postgres, "wrk": ["wrk", "-v"]}
    told = {name: _ask(command) for name, command in asked.items() if command}
    return [f"{name} {version}" for name, version in told.items() if version]


def _ask(command: list[str]) -> str:
    """The first number with a dot that the program says; empty where it isn't there."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError:
        return ""
    found = re.search(r"\d+\.\d+(?:\.\d+)?", done.stdout + done.stderr)
    return found[0] if found else ""
