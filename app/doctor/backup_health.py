"""The doctor's check of the backups: when the last one was made, as the audit log knows it."""

from datetime import datetime, timedelta

from sqlalchemy import func, select

from app.clock import now
from app.doctor.findings import Finding
from app.extensions import db
from app.invocation import shell_command
from app.models import AuditEntry, Workspace

OLD = timedelta(days=7)
MADE = "backup_made"


def check_backups() -> Finding:
    name, made_at = "backups", find_last_backup()
    fix = f"Run: {shell_command('backup')}, best each day; docs/backup.md says how."
    if made_at is None:
        return Finding(name, "warn", "None was ever made by FlowPulse.", fix)
    age = now() - made_at
    message = f"The last one was made on {made_at:%Y-%m-%d %H:%M}Z."
    if age > OLD:
        return Finding(name, "warn", f"{message} That is {age.days} days ago.", fix)
    return Finding(name, "ok", message)


def find_last_backup() -> datetime | None:
    """A backup is noted in each workspace's log: the oldest workspace has them all."""
    first = select(func.min(Workspace.id)).scalar_subquery()
    mine = (AuditEntry.workspace_id == first) & (AuditEntry.what == MADE)
    return db.session.scalar(select(func.max(AuditEntry.at)).where(mine))
