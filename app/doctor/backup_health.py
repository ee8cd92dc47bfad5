"""The doctor's checks of the backups: when the last one was made, and what became of those that
FlowPulse is to make by itself."""

from datetime import datetime, timedelta

from flask import current_app
from sqlalchemy import func, select

from app.clock import now
from app.doctor.findings import Finding
from app.extensions import db
from app.invocation import shell_command
from app.models import AuditEntry, BackupTurn, Workspace
from app.processing.backup_schedule import SETTING, last_due

OLD = timedelta(days=7)
LATE = timedelta(hours=6)
MADE = "backup_made"
MEND = (
    "Mend what it says; it is tried again each hour. At once: "
    f"{shell_command('backup --scheduled')}"
)


def check_backups() -> Finding:
    name, made_at = "backups", find_last_backup()
    fix = f"Run: {shell_command('backup')}; or have one made each day, with {SETTING}."
    if made_at is None:
        return Finding(name, "warn", "None was ever made by FlowPulse.", fix)
    age = now() - made_at
    message = f"The last one was made on {made_at:%Y-%m-%d %H:%M}Z."
    if age > OLD:
        return Finding(name, "warn", f"{message} That is {age.days} days ago.", fix)
    return Finding(name, "ok", message)


def check_backup_schedule() -> Finding:
    """The web server and the worker have the same setting, unless one was not started anew."""
    name = "scheduled backups"
    folder, turn = current_app.config[SETTING], db.session.get(BackupTurn, 1)
    if not folder:
        return Finding(name, "ok", f"None are made: {SETTING} is not set.")
    if turn is not None and turn.problem:
        message = f"The one of {turn.due_at:%Y-%m-%d %H:%M}Z failed: {turn.problem}"
        return Finding(name, "fail", message, MEND)
    due = last_due(now())
    is_made = turn is not None and turn.finished_at is not None and turn.due_at >= due
    if not is_made and now() - due > LATE:
        message = f"The one that was due on {due:%Y-%m-%d %H:%M}Z is not made."
        fix = f"See to the worker, and that it was started anew after {SETTING} was set."
        return Finding(name, "warn", message, fix)
    at = current_app.config["FLOWPULSE_BACKUP_AT"]
    return Finding(name, "ok", f"One is made each day at {at} UTC, into {folder}.")


def find_last_backup() -> datetime | None:
    """A backup is noted in each workspace's log: the oldest workspace has them all."""
    first = select(func.min(Workspace.id)).scalar_subquery()
    mine = (AuditEntry.workspace_id == first) & (AuditEntry.what == MADE)
    return db.session.scalar(select(func.max(AuditEntry.at)).where(mine))
