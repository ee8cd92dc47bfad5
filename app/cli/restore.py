"""`restore`: puts a backup in the place of the database, after it has been looked through."""

from pathlib import Path

import click
from alembic.script import ScriptDirectory
from flask import current_app
from flask_migrate import upgrade
from sqlalchemy import delete
from sqlalchemy.orm import Session

from app.backups.contents import BackupError, Contents
from app.backups.making import EXAMINERS, kind_of
from app.cli.backup import name_secret, print_contents
from app.cli.commands import command
from app.cli.migrations import MIGRATIONS
from app.cli.options import json_option
from app.cli.restoring import PLACES
from app.cli.text import dump, escape
from app.extensions import db, writing
from app.invocation import START, shell_command
from app.models import UserSession
from app.processing.secret_mark import adopt_secret, is_ours
from app.secret_key import NAME, take_back_secret
from app.workspaces.audit import note_server

NEWER = "It was made by a newer FlowPulse than this one: restore it with that."
NOT_OURS = "It is no backup of FlowPulse's: there is no migration in it."
NEW_KEY = (
    "Or add --new-secret-key: then its API keys have to be made anew, and its channels' secrets "
    "entered again."
)


@command("restore")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--force", is_flag=True, help="Restore though the database is not empty.")
@click.option(
    "--new-secret-key", is_flag=True, help="Go on with another secret key than the backup's."
)
@json_option
def restore(file: Path, force: bool, new_secret_key: bool, as_json: bool) -> None:
    """Put the backup FILE in the place of the database of the present settings.

    Stop the server first, on all machines. FILE is looked through before anything is touched. A
    database that holds something is left alone, unless --force is given; what it holds is kept
    beside it even then. A backup of an older version is migrated. Everybody has to sign in again.
    See docs/backup.md.
    """
    place = PLACES[db.engine.dialect.name]()
    contents = _look_through(file, new_secret_key)
    db.session.remove()
    db.engine.dispose()  # We are not to be in our own way.
    is_kept = place.holds_something()
    if is_kept:
        place.ensure_unused()  # Who runs it still is told to stop it, not to use force.
    if is_kept and not force:
        raise BackupError(
            f"{place.name} is not empty. To restore all the same, add --force: what it holds is "
            "kept beside it."
        )
    kept = place.take(file, is_kept)
    upgrade()
    adopt_secret(new_secret_key)
    with writing() as session:  # A session that was ended since the backup must not live again.
        session.execute(delete(UserSession))
        _note(session, file, contents, is_kept)
    found = place.count()
    _ensure_same(contents, found)
    if as_json:
        rows = {"rows": found.rows, "highest_ids": found.highest_ids}
        click.echo(dump({"migration": found.revision, "kept": kept, **rows}))
        return
    print_contents(found)
    click.echo(f"\n{_sum_up(contents, found, place.name, kept)}", err=True)


def _look_through(file: Path, is_new_key: bool) -> Contents:
    """Raises BackupError for what can't be used here."""
    kind, wanted = kind_of(file), db.engine.dialect.name
    if kind != wanted:
        raise BackupError(
            f"{file} is a backup of {kind}, and the database of the present settings is {wanted}. "
            f"Restore it there; `{shell_command('move')}` takes SQLite to PostgreSQL."
        )
    contents = EXAMINERS[kind](file)
    known = {each.revision for each in ScriptDirectory(str(MIGRATIONS)).walk_revisions()}
    if contents.revision not in known:
        raise BackupError(f"{file}: {NEWER if contents.revision else NOT_OURS}")
    if not (is_new_key or is_ours(contents.secret_mark)):
        raise BackupError(_explain_other_key(file))
    return contents


def _explain_other_key(file: Path) -> str:
    """Also sees to it that no new key lies where the former one has to be put."""
    folder = Path(current_app.config["FLOWPULSE_DATA_DIR"]).resolve()
    take_back_secret(folder)
    empty = (
        ", with FLOWPULSE_SECRET_KEY empty" if current_app.config["FLOWPULSE_SECRET_KEY"] else ""
    )
    return (
        f"This server's secret key is not the one that {file} was made with. Copy the file "
        f"secret_key from the former server's data folder to {folder / NAME}{empty}; where that "
        f"server had FLOWPULSE_SECRET_KEY, set the same here. {NEW_KEY}"
    )


def _note(session: Session, file: Path, backup: Contents, is_kept: bool) -> None:
    """The restored log ends before this entry, and tells nothing of what it had in between."""
    name = file.name.encode(errors="replace").decode()
    details = {"backup_migration": backup.revision, "kept_before": is_kept}
    note_server(session, "backup_restored", name, details)


def _ensure_same(backup: Contents, restored: Contents) -> None:
    """Of the tables that both know; a migration may have filled others."""
    kept = {"alembic_version", "user_sessions"}
    wrong = [
        f"{table} has {restored.rows[table]:,} rows instead of {count:,}"
        for table, count in backup.rows.items()
        if table in restored.rows.keys() - kept and restored.rows[table] < count
    ]
    if wrong:
        raise BackupError(f"What was restored is not what was in the backup: {'; '.join(wrong)}.")


def _sum_up(backup: Contents, restored: Contents, name: str, kept: str | None) -> str:
    lines = [f"{escape(name)} holds what the backup held, at migration {restored.revision}."]
    if backup.revision != restored.revision:
        lines[0] = f"{lines[0][:-1]} (the backup was at {backup.revision})."
    if kept:
        lines.append(f"What it held before is kept as {escape(kept)}. Remove it when you like.")
    lines.append(f"Everybody signs in again. The secret key is {name_secret()}. Start: {START}")
    return "\n".join(lines)
