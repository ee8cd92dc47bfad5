"""Disks that a drill fills: a small one in memory, or a limit on what processes may write."""

import os
import resource
import subprocess
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
import psycopg

from tests.postgres import PostgresCluster

CAP_SYS_ADMIN = 21


class MountError(Exception):
    """No disk could be mounted; the message says why."""


def may_mount() -> bool:
    """Whether this process has CAP_SYS_ADMIN (capabilities(7)): then a disk can be mounted."""
    status = Path("/proc/self/status").read_text()
    effective = next(line.split()[1] for line in status.splitlines() if line.startswith("CapEff:"))
    return bool(int(effective, 16) >> CAP_SYS_ADMIN & 1)


class SmallDisk:
    """A disk of its own; a file fills it up."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._ballast = folder / "ballast"

    def fill(self, left: int = 0) -> None:
        """Until at most so many bytes are left. With none, whatever becomes free is filled too, as
        often as this is called."""
        with suppress(OSError), self._ballast.open("ab", buffering=0) as file:
            while (free := self._free() - left) > 0:
                file.write(bytes(min(free, 2**20)))

    def relieve(self) -> None:
        self._ballast.unlink()

    def _free(self) -> int:
        found = os.statvfs(self.folder)
        return found.f_bavail * found.f_frsize


@contextmanager
def mounted(megabytes: int) -> Iterator[SmallDisk]:
    """Raises MountError where we may not, as without root."""
    folder = Path(tempfile.mkdtemp(prefix="flowpulse-disk-"))
    folder.chmod(0o755)  # PostgreSQL runs as somebody else.
    mount = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m,mode=755", "tmpfs", str(folder)]
    try:
        done = subprocess.run(mount, capture_output=True, text=True, check=False)
    except OSError as error:
        folder.rmdir()
        raise MountError(str(error)) from error
    if done.returncode:
        folder.rmdir()
        raise MountError(f"no disk can be mounted here: {done.stderr.strip()}")
    try:
        yield SmallDisk(folder)
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=False)
        folder.rmdir()


class LimitedFiles:
    """Running processes that may write no further into any file than its first kilobytes."""

    def __init__(self, processes: Iterable[psutil.Process]) -> None:
        self._processes = list(processes)
        self._before = [self._limit(each) for each in self._processes]

    def fill(self) -> None:
        for process, (_, hard) in zip(self._processes, self._before, strict=True):
            process.rlimit(psutil.RLIMIT_FSIZE, (4096, hard))

    def relieve(self) -> None:
        for process, limits in zip(self._processes, self._before, strict=True):
            process.rlimit(psutil.RLIMIT_FSIZE, limits)

    @staticmethod
    def _limit(process: psutil.Process) -> tuple[int, int]:
        soft, hard = process.rlimit(psutil.RLIMIT_FSIZE) or (resource.RLIM_INFINITY,) * 2
        return soft, hard


class PostgresOnDisk(PostgresCluster):
    """All of it on a small disk, and synced; its log of changes takes 64 MB at most."""

    def __init__(self, disk: SmallDisk) -> None:
        self._disk = disk
        super().__init__(durable=True)

    def _new_folder(self, parent: Path | None) -> Path:
        return super()._new_folder(self._disk.folder)

    def _initialise(self) -> None:
        super()._initialise()
        self.settings |= {"max_wal_size": "64MB", "min_wal_size": "32MB", "shared_buffers": "16MB"}

    @property
    def is_running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def answers(self) -> bool:
        """Whether it takes connections; not after it could not write its log of changes."""
        try:
            self._connect().close()
        except psycopg.OperationalError:
            return False
        return True

    def start_again(self) -> None:
        """As a service manager does with a server that has ended."""
        self.process = self._popen()
