"""A throw-away PostgreSQL cluster for the tests, from the machine's own binaries or a wheel's."""

import atexit
import contextlib
import ctypes
import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from ipaddress import ip_interface
from pathlib import Path
from typing import Any, LiteralString

import psycopg
from psycopg import sql

from tests.ports import free_port
from tests.postgres_binaries import PostgresUnavailableError, find_binaries

SUPERUSER = "flowpulse"
SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "max_connections": "200",
    "shared_buffers": "64MB",
    "timezone": "UTC",
    "log_min_messages": "fatal",
    "log_min_error_statement": "panic",
}
# A crash of the whole machine may eat the tests' data: nothing needs to reach the disk.
HASTY = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
ACCOUNTS = ("postgres", "nobody")


class PostgresCluster:
    """One running server with its own data folder; `stop()` ends it and removes the folder.

    `durable` keeps fsync on, for drills that pull the plug. `address`, with its network, is one
    that it listens at beside 127.0.0.1, for machines of that network. Further keywords are the
    server's own settings, such as max_connections="40".
    """

    def __init__(
        self,
        binaries: Path | None = None,
        durable: bool = False,
        address: str | None = None,
        **settings: str,
    ) -> None:
        self.folders: list[Path] = []
        self.account = _unprivileged_account()
        atexit.register(self.stop)
        self.root = self._new_folder(None if durable else _memory_folder())
        self.binaries = self._reachable(binaries or find_binaries())
        self.data = self.root / "data"
        self.settings = SETTINGS | ({} if durable else HASTY) | settings
        self.address = ip_interface(address) if address else None
        if self.address:
            self.settings["listen_addresses"] += f",{self.address.ip}"
        self.process: subprocess.Popen[bytes] | None = None
        self._connection: psycopg.Connection[tuple[object, ...]] | None = None
        self._to_drop = ""
        self.has_template = False
        self.port = 0
        try:
            self._initialise()
            self._start()
        except BaseException:
            self.stop()
            raise

    def url(self, name: str) -> str:
        """The SQLAlchemy URL of a database."""
        host = self.address.ip if self.address else "127.0.0.1"
        return f"postgresql+psycopg://{SUPERUSER}@{host}:{self.port}/{name}"

    def create_database(self, name: str, template: str | None = None) -> str:
        """Make a database, empty or as a copy of a template nobody is connected to; its URL."""
        # Quicker than the default, which PostgreSQL 15 changed for the sake of busy servers.
        by_file = " STRATEGY file_copy" if self._kept().info.server_version >= 150000 else ""
        self._execute(
            sql.SQL("CREATE DATABASE {} TEMPLATE {}" + by_file).format(
                sql.Identifier(name), sql.Identifier(template or "template0")
            )
        )
        return self.url(name)

    def drop_database(self, name: str) -> None:
        """Remove a database, ending the connections that are still open to it."""
        self._execute(
            sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name))
        )

    def drop_later(self, name: str) -> None:
        """Remove it with the next one: a connection that was closed just now is still on its way,
        and the server would look for it once more after a tenth of a second."""
        if self._to_drop:
            self.drop_database(self._to_drop)
        self._to_drop = name

    def crash(self) -> None:
        """End the server at once, as a crash would, and start it again on what is on disk."""
        self.go_down()
        self.come_back()

    def go_down(self) -> None:
        """End the server at once: its connections are cut off, and nothing is written any more."""
        assert self.process is not None
        self.process.send_signal(signal.SIGQUIT)
        self.process.wait(10)

    def come_back(self) -> None:
        """Start it again on what is on disk; returns once it takes connections."""
        self.process = self._popen()
        if not self._is_ready(seconds=30):
            raise PostgresUnavailableError(f"no way back:\n{self._log().read_text()}")

    def stop(self) -> None:
        """End the server and remove its data; a second call does nothing."""
        atexit.unregister(self.stop)
        if self._connection:
            self._connection.close()
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGQUIT)  # At once: the data is thrown away anyway.
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(10)
            self.process.kill()
            self.process.wait()
        for folder in self.folders:
            shutil.rmtree(folder, ignore_errors=True)

    def connect(self) -> psycopg.Connection[tuple[object, ...]]:
        """The superuser's, to the database `postgres`; each statement commits by itself."""
        return psycopg.connect(
            host="127.0.0.1", port=self.port, user=SUPERUSER, dbname="postgres", autocommit=True
        )

    def _kept(self) -> psycopg.Connection[tuple[object, ...]]:
        """One connection for all databases that are made and dropped: each of its own would take as
        long as that."""
        if self._connection is None or self._connection.closed:
            self._connection = self.connect()
        return self._connection

    def _execute(self, statement: sql.Composed) -> None:
        try:
            self._kept().execute(statement)
        except psycopg.OperationalError:
            if self._connection is None or not self._connection.closed:
                raise
            self._kept().execute(statement)  # The server had ended it, as in a crash.

    def _new_folder(self, parent: Path | None) -> Path:
        folder = Path(tempfile.mkdtemp(prefix="flowpulse-pg-", dir=parent))
        self.folders.append(folder)
        if self.account:
            os.chown(folder, self.account.pw_uid, self.account.pw_gid)
        return folder

    def _reachable(self, binaries: Path) -> Path:
        """The binaries, copied to where the unprivileged account can run them if it must be."""
        if not self.account or self._runs(binaries):
            return binaries
        package, install = binaries.parents[1], binaries.parent
        folder = self._new_folder(None)
        copy = folder / package.name / install.name
        shutil.copytree(install, copy, symlinks=True)
        libraries = package.with_name(f"{package.name}.libs")  # Where a wheel's programs look.
        if libraries.is_dir():
            shutil.copytree(libraries, folder / libraries.name)
        return copy / binaries.name

    def _runs(self, binaries: Path) -> bool:
        try:
            self._run([str(binaries / "postgres"), "--version"])
        except (OSError, PostgresUnavailableError):
            return False
        return True

    def _initialise(self) -> None:
        self._run(
            [
                str(self.binaries / "initdb"),
                "--no-sync",
                "--auth=trust",
                "--encoding=UTF8",
                "--locale=C",
                f"--username={SUPERUSER}",
                f"--pgdata={self.data}",
            ]
        )
        if self.address:
            with (self.data / "pg_hba.conf").open("a") as rules:
                rules.write(f"host all,replication all {self.address.network} trust\n")

    def _start(self) -> None:
        for _ in range(5):  # Another program may take the free port first.
            self.port = free_port()
            self.process = self._popen()
            if self._is_ready(seconds=30):
                return
        raise PostgresUnavailableError(f"postgres did not start:\n{self._log().read_text()}")

    def _popen(self) -> subprocess.Popen[bytes]:
        options = [f"--{name}={value}" for name, value in self.settings.items()]
        command = [str(self.binaries / "postgres"), "-D", str(self.data), f"--port={self.port}"]
        with self._log().open("ab") as log:
            return subprocess.Popen(
                [*command, "-k", str(self.root), *options],
                cwd=self.root,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                preexec_fn=_end_with_parent,
                **self._identity(),
            )

    def _is_ready(self, seconds: float) -> bool:
        deadline = time.monotonic() + seconds
        while self.process and self.process.poll() is None and time.monotonic() < deadline:
            try:
                self.connect().close()
            except psycopg.OperationalError:
                time.sleep(0.05)
            else:
                return True
        return False

    def _run(self, command: list[str]) -> None:
        result = subprocess.run(
            command,
            cwd=self.root,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            **self._identity(),
        )
        if result.returncode:
            raise PostgresUnavailableError(f"{command[0]}: {result.stderr.strip()}")

    def _identity(self) -> dict[str, Any]:
        if not self.account:
            return {}
        return {"user": self.account.pw_uid, "group": self.account.pw_gid, "extra_groups": []}

    def _log(self) -> Path:
        return self.root / "server.log"


class PostgresReplica(PostgresCluster):
    """A streaming replica of a running cluster."""

    def __init__(self, primary: PostgresCluster) -> None:
        self._primary = primary
        super().__init__(primary.binaries)

    def _initialise(self) -> None:
        """Copies the primary's data and says whom to follow from there on."""
        source = f"host=127.0.0.1 port={self._primary.port} user={SUPERUSER}"
        copy = ["-D", str(self.data), "-R", "-X", "stream", "-c", "fast", "-d", source]
        self._run([str(self.binaries / "pg_basebackup"), *copy])

    def execute(self, statement: LiteralString) -> Any:
        """The first column of the first row that a statement gives, if it gives any."""
        with self.connect() as connection:
            return next(iter(connection.execute(statement).fetchone() or ()), None)


def _unprivileged_account() -> pwd.struct_passwd | None:
    """Whom to run the server as: postgres refuses root. None: as whoever we are."""
    if os.geteuid() != 0:
        return None
    for name in ACCOUNTS:
        with contextlib.suppress(KeyError):
            return pwd.getpwnam(name)
    raise PostgresUnavailableError(f"PostgreSQL can't run as root, and there is none of {ACCOUNTS}")


def _memory_folder() -> Path | None:
    """A folder in memory with room for the cluster: a copy of a database takes 15 ms, not 300."""
    folder = Path("/dev/shm")
    if os.access(folder, os.W_OK) and shutil.disk_usage(folder).free > 2**30:
        return folder
    return None


def _end_with_parent() -> None:
    """Have the kernel end the server when the tests are killed (Linux only)."""
    if sys.platform == "linux":
        end_signal_option = 1  # PR_SET_PDEATHSIG
        ctypes.CDLL(None).prctl(end_signal_option, signal.SIGQUIT)
