"""Notes the statements that a piece of work sends to the database, and how it would run each."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import event

from app.extensions import db, is_sqlite


class Statements:
    """With their values: SQLite chooses a partial index by them."""

    def __init__(self) -> None:
        self._noted: dict[str, Any] = {}

    @contextmanager
    def noted(self) -> Iterator[None]:
        event.listen(db.engine, "before_cursor_execute", self._note)
        try:
            yield
        finally:
            event.remove(db.engine, "before_cursor_execute", self._note)

    def _note(
        self, connection: Any, cursor: Any, text: str, given: Any, context: Any, many: bool
    ) -> None:
        self._noted.setdefault(text, given[0] if many else given)

    def explain(self, *tables: str) -> list[tuple[str, str]]:
        """Each statement that reads or removes rows of these tables, with its plan.

        PostgreSQL reads small tables whole unless it is kept from it.
        """
        word = "EXPLAIN QUERY PLAN" if is_sqlite() else "EXPLAIN"
        db.session.rollback()
        with db.engine.connect() as connection:
            if not is_sqlite():
                connection.exec_driver_sql("SET enable_seqscan = off")
            return [
                (text, "\n".join(str(row[-1]) for row in rows))
                for text, given in self._noted.items()
                if text.startswith(("SELECT", "DELETE"))
                and any(f"FROM {table} " in f"{text.replace(chr(10), ' ')} " for table in tables)
                for rows in [connection.exec_driver_sql(f"{word} {text}", given)]
            ]
