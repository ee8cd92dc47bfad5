"""The audit log: who did what, when, about what and from where."""

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, Index, String, TextClause, text
from sqlalchemy.orm import Mapped, mapped_column

from app.clock import now
from app.extensions import Entity
from app.models.columns import BigId, JsonText, Moment, PrimaryKey, UtcDateTime

ACTORS = ("person", "nobody", "command line", "worker")
"""Who does things; `nobody` is whoever is not signed in."""
IS_BY_NO_PERSON = text("actor <> 'person'")
"""As a condition, it leads to the indexes of these."""
_IS_BY_A_PERSON = text("who IS NOT NULL")
_IS_KEPT_FOR_A_TIME = text("keep_until IS NOT NULL")


def _of_some(name: str, where: TextClause, *columns: str) -> Index:
    return Index(name, *columns, sqlite_where=where, postgresql_where=where)


class AuditEntry(Entity):
    """One thing that somebody did. It outlives all that it tells of, and so points to nothing.

    Triggers refuse each UPDATE but that a person whose account is gone is forgotten, and each
    DELETE before `keep_until`: migrations 0017, 0023 and 0025 make them,
    and whatever makes the table anew has to make them anew.
    """

    __tablename__ = "audit_entries"
    __table_args__ = (
        CheckConstraint(f"actor IN {ACTORS}", name="actor_known"),
        # In each of them, what a filter chooses stands together, and by time.
        Index("ix_audit_entries_at", "workspace_id", "at", "id"),
        Index("ix_audit_entries_what", "workspace_id", "what", "at", "id"),
        _of_some("ix_audit_entries_who", _IS_BY_A_PERSON, "workspace_id", "who", "at", "id"),
        _of_some(
            "ix_audit_entries_who_what", _IS_BY_A_PERSON, "workspace_id", "who", "what", "at", "id"
        ),
        _of_some("ix_audit_entries_actor", IS_BY_NO_PERSON, "workspace_id", "actor", "at", "id"),
        _of_some(
            "ix_audit_entries_actor_what",
            IS_BY_NO_PERSON,
            "workspace_id",
            "actor",
            "what",
            "at",
            "id",
        ),
        _of_some("ix_audit_entries_keep_until", _IS_KEPT_FOR_A_TIME, "keep_until"),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[PrimaryKey]
    at: Mapped[Moment] = mapped_column(default=now)
    # None: of no workspace, such as a sign-in with an unknown address.
    workspace_id: Mapped[int | None] = mapped_column(BigId)
    actor: Mapped[str] = mapped_column(String(12))
    # The person's e-mail address and public id.
    who: Mapped[str | None] = mapped_column(String(254))
    who_id: Mapped[str | None] = mapped_column(String(24))
    what: Mapped[str] = mapped_column(String(40))
    # The thing's name and public id.
    about: Mapped[str | None] = mapped_column(String(255))
    about_id: Mapped[str | None] = mapped_column(String(24))
    remote_addr: Mapped[str | None] = mapped_column(String(64))
    user_agent: Mapped[str | None] = mapped_column(String(255))
    details: Mapped[dict[str, Any] | None] = mapped_column(JsonText)
    # None: for good.
    keep_until: Mapped[datetime | None] = mapped_column(UtcDateTime)
