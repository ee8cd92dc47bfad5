"""PostgreSQL's own programs: whether they are there and new enough, and how they are called."""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import IO

import psycopg
from psycopg import pq
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from sqlalchemy import URL

from app.backups.contents import BackupError
from app.extensions import db

SECRETS = frozenset({"password", "sslpassword"})
INSTALL = "Install PostgreSQL's client programs (Debian: postgresql-client)"


def connect() -> psycopg.Connection[tuple[object, ...]]:
    """A connection of our own, beside the pool; each statement stands by itself.

    No setting of the server's may end what waits for a program that copies for an hour.
    """
    connection = psycopg.connect(
        _conninfo(db.engine.url), autocommit=True, application_name="flowpulse backup"
    )
    connection.execute("SET statement_timeout = 0")
    connection.execute("SET idle_in_transaction_session_timeout = 0")
    return connection


def find(program: str, server_version: int = 0) -> str:
    """Where a program is that can read what a server of that version (such as 150004) has.

    Raises BackupError where there is none.
    """
    path = shutil.which(program)
    if path is None:
        raise BackupError(f"{program} is not on PATH. {INSTALL}.")
    said = subprocess.run(  # noqa: S603 - found by name on PATH, as a shell would.
        [path, "--version"], capture_output=True, text=True, check=False
    )
    version = re.search(r"\d+", said.stdout)
    wanted = server_version // 10_000
    if version is None:
        raise BackupError(f"{path} does not run: {said.stderr.strip():.200}")
    if int(version[0]) < wanted:
        raise BackupError(
            f"{path} is of PostgreSQL {version[0]}, the server is {wanted}: it can't read that. "
            f"{INSTALL.replace(')', f'-{wanted})')} of version {wanted} or newer."
        )
    return path


@contextmanager
def running(*command: str, stdout: int | IO[bytes] = subprocess.PIPE) -> Iterator[IO[bytes]]:
    """What a program prints, while it runs. Its secrets stand in its environment, which only we
    and root can read, and never among its arguments.

    Raises BackupError where it fails.
    """
    with subprocess.Popen(  # noqa: S603 - arguments are our own, and no shell reads them.
        command,
        stdin=subprocess.DEVNULL,
        stdout=stdout,
        stderr=subprocess.PIPE,
        env=_environment(db.engine.url),
    ) as process:
        try:
            yield process.stdout  # type: ignore[misc]
        except BaseException:
            process.kill()
            raise
        errors = process.stderr.read() if process.stderr else b""
    if process.returncode:
        lines = errors.decode(errors="replace").strip().splitlines() or ["it ended"]
        name = os.path.basename(command[0])
        raise BackupError(f"{name} failed: {lines[0].removeprefix(f'{name}: ')}")


def target(url: URL) -> str:
    """What `--dbname` is given: nothing that is secret, and what no variable can say."""
    parameters, variables = _parameters(url), _variables()
    rest = {
        name: value
        for name, value in parameters.items()
        if name not in variables and name not in SECRETS
    }
    return make_conninfo(dbname=parameters["dbname"], **rest)


def _environment(url: URL) -> dict[str, str]:
    variables = _variables()
    own = {variables[name]: value for name, value in _parameters(url).items() if name in variables}
    return {**os.environ, **own, "PGCLIENTENCODING": "UTF8", "LC_ALL": "C"}


def _parameters(url: URL) -> dict[str, str]:
    found = conninfo_to_dict(_conninfo(url))
    return {name: str(value) for name, value in found.items() if value is not None}


def _variables() -> dict[str, str]:
    """The variable of the environment for each parameter of a connection that has one."""
    options: Sequence[pq.ConninfoOption] = pq.Conninfo.get_defaults()
    return {each.keyword.decode(): each.envvar.decode() for each in options if each.envvar}


def _conninfo(url: URL) -> str:
    return url.set(drivername="postgresql").render_as_string(hide_password=False)
