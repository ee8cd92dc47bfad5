"""What an error of the database says, without the values that it was about.

Errors are logged and kept. A driver's words can quote the row that was refused, and SQLAlchemy's
what the statement was given: a hash of a password, an address.
"""

from typing import Any

from sqlalchemy import Engine, event
from sqlalchemy.engine import ExceptionContext

_DATA_EXCEPTION = "22"
"""The class of SQLSTATE whose primary message quotes values (PostgreSQL, appendix A), in the signs
of the server's language."""


def strip_values(error: Any) -> None:
    """Leave of what PostgreSQL says its first sentence: its DETAIL and CONTEXT quote whole rows."""
    primary = getattr(getattr(error, "diag", None), "message_primary", None)
    if not primary:  # Of SQLite, whose words name columns alone, or the connection's.
        return
    if str(error.sqlstate).startswith(_DATA_EXCEPTION):
        primary = f"a value that does not fit (SQLSTATE {error.sqlstate})"
    error.args = (primary,)


@event.listens_for(Engine, "handle_error")
def _strip(context: ExceptionContext) -> None:
    """Of each engine, whoever made it; SQLAlchemy has quoted the driver by then."""
    strip_values(context.original_exception)
    error = context.sqlalchemy_exception
    if error is not None:
        kind = type(context.original_exception)
        error.hide_parameters = True
        error.args = (f"({kind.__module__}.{kind.__name__}) {context.original_exception}",)
