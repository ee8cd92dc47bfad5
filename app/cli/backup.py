"""`backup`: a copy of the database, made while the server runs, then opened and counted."""

import os
import sqlite3
from pathlib import Path

import click
from flask import current_app
from sqlalchemy.exc import DBAPIError

from app.backups.contents import BackupError, Contents
from app.backups.keeping import auto_name, remove_past
from app.backups.making import Backup, default_name, make_backup
from app.cli.commands import command
from app.cli.options import json_option
from app.cli.text import dump, escape, print_rows
from app.doctor.outage import explain_outage
from app.extensions import db, writing
from app.processing.database_size import MEGABYTE
from app.workspaces.audit import note_server

COLUMNS = ("what", "rows", "highest_id")
TOLD = ("events", "runs", "workflows", "api_keys", "channels", "alerts", "users", "workspaces")
"""Tables that people know of; `--json` tells of all."""
FOLDER = "backups"
MAKE_WAY = 10
"""How much later than the server it gets the processor, where both want it."""


@command("backup")
@click.argument("file", type=click.Path(path_type=Path), required=False)
@click.option("--replace", is_flag=True, help="Replace the backup that FILE is.")
@click.option(
    "--scheduled",
    is_flag=True,
    help="As the worker does each day: into FLOWPULSE_BACKUP_DIR; older ones go.",
)
@json_option
def backup(file: Path | None, replace: bool, scheduled: bool, as_json: bool) -> None:
    """Write a copy of the database to FILE, while the server runs.

    FILE may be a folder; without one it is `backups` in the data folder. What was answered with
    202 before this began is in it. Then the copy is opened, checked and counted, and compared with
    what the database held; prints that, and notes it in the audit log. Only its owner can read the
    file. It holds no secret key: keep that aside. PostgreSQL needs pg_dump and pg_restore. See
    docs/backup.md.
    """
    os.nice(MAKE_WAY)
    made = make_backup(_find_scheduled(file) if scheduled else _find_place(file), replace)
    _note(made)
    if scheduled:
        _remove_past(made.path.parent)
    if as_json:
        click.echo(dump(_describe(made)))
        return
    print_contents(made.contents)
    click.echo(
        f"\n{escape(str(made.path))}: {made.size / MEGABYTE:.1f} MB in {made.seconds:.1f} s, "
        f"migration {made.contents.revision}. Opened, checked, and the same as the database.\n"
        f"It holds no secret key. Keep {name_secret()} aside: without it, the API keys and "
        "channels in it open nothing.",
        err=True,
    )


def print_contents(contents: Contents) -> None:
    """As a table."""
    rows = [
        {
            "what": table.replace("_", " "),
            "rows": f"{contents.rows[table]:,}",
            "highest_id": f"{contents.highest_ids.get(table, 0):,}",
        }
        for table in TOLD
        if table in contents.rows
    ]
    print_rows(rows, False, COLUMNS)


def name_secret() -> str:
    """Where this server's secret key is, which nobody may lose."""
    if current_app.config["FLOWPULSE_SECRET_KEY"]:
        return "FLOWPULSE_SECRET_KEY"
    return escape(str(Path(current_app.config["FLOWPULSE_DATA_DIR"]).resolve() / "secret_key"))


def _find_place(file: Path | None) -> Path:
    if file is None:
        file = Path(current_app.config["FLOWPULSE_DATA_DIR"]).resolve() / FOLDER
        file.mkdir(mode=0o700, parents=True, exist_ok=True)
    return file / default_name() if file.is_dir() else file


def _find_scheduled(file: Path | None) -> Path:
    folder = current_app.config["FLOWPULSE_BACKUP_DIR"]
    if file is not None:
        raise click.UsageError("--scheduled takes no FILE: FLOWPULSE_BACKUP_DIR says where.")
    if not folder:
        raise BackupError("FLOWPULSE_BACKUP_DIR is not set.")
    path = Path(folder).resolve()
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    return path / auto_name()


def _remove_past(folder: Path) -> None:
    daily, weekly = (current_app.config[f"FLOWPULSE_BACKUP_{each}"] for each in ("DAILY", "WEEKLY"))
    for gone in remove_past(folder, daily, weekly):
        click.echo(f"Removed {escape(str(gone))}.", err=True)


def _note(made: Backup) -> None:
    """The backup is good, also where the database is full, or too old to hold the entry."""
    rows = {table: made.contents.rows[table] for table in TOLD if table in made.contents.rows}
    name = made.path.name.encode(errors="replace").decode()
    try:
        with writing() as session:
            note_server(session, "backup_made", name, {"bytes": made.size, **rows})
    except (DBAPIError, sqlite3.OperationalError, OSError) as error:
        said = explain_outage(error)
        click.echo(f"The backup is made, but the audit log does not tell of it. {said}", err=True)


def _describe(made: Backup) -> dict[str, object]:
    return {
        "file": str(made.path.absolute()),
        "bytes": made.size,
        "seconds": round(made.seconds, 3),
        "database": db.engine.dialect.name,
        "migration": made.contents.revision,
        "rows": made.contents.rows,
        "highest_ids": made.contents.highest_ids,
    }
