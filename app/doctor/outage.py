"""Why the database can't be used, in one line for who runs the server."""

from app.invocation import shell_command
from app.log_lines import escape

NO_TABLES = ("no such table", "no such column", "UndefinedTable", "UndefinedColumn")


def explain_outage(error: Exception) -> str:
    """One line on why the database can't be used, and what to do."""
    cause = getattr(error, "orig", None) or error
    if any(mark in f"{type(cause).__name__} {cause}" for mark in NO_TABLES):
        return f"The database is not up to date. Run: {shell_command('prepare')}"
    lines = str(cause).strip().splitlines() or [type(cause).__name__]
    return f"The database can't be used: {escape(lines[0])}"
