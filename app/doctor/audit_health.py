"""The doctor's check of the audit log."""

from sqlalchemy import text

from app.doctor.findings import Finding
from app.extensions import db, is_sqlite

KEEPERS = {
    True: frozenset({"audit_entries_keep", "audit_entries_keep_as_is", "audit_entries_keep_ids"}),
    False: frozenset({"audit_entries_keep", "audit_entries_keep_all"}),
}
"""The triggers that keep it, on SQLite (True) and on PostgreSQL."""
_LISTED = {
    True: "SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'audit_entries'",
    False: "SELECT tgname FROM pg_trigger WHERE tgrelid = 'audit_entries'::regclass "
    "AND NOT tgisinternal AND tgenabled <> 'D'",
}


def check_audit_log() -> Finding:
    """Whoever owns the database can take its keepers away: at least that is seen."""
    name, kind = "audit log", is_sqlite()
    missing = KEEPERS[kind] - set(db.session.scalars(text(_LISTED[kind])))
    if not missing:
        return Finding(name, "ok", "The database keeps its entries from being changed.")
    message = (
        f"Somebody has removed what keeps it from being changed: {', '.join(sorted(missing))}."
    )
    fix = (
        "Find out who can write to the database, and make the triggers of migrations 0017 and 0025 "
        "anew."
    )
    return Finding(name, "fail", message, fix)
