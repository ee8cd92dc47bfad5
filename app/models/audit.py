"""The audit log: who did what, when, about what and from where."""

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, Index, String, text
from sqlalchemy.orm import Mapped, mapped_column

from app.clock import now
from app.extensions import Entity
from app.models.columns import BigId, JsonText, Moment, PrimaryKey, UtcDateTime

ACTORS = ("person", "nobody", "command line", "worker")
"""Who does things; `nobody` is whoever is not signed in."""
_IS_KEPT_FOR_A_TIME = text("keep_until IS NOT NULL")


class AuditEntry(Entity):
    """One thing that somebody did. It outlives all that it tells of, and so points to nothing.

    Triggers refuse each UPDATE, and each DELETE before `keep_until`: migration 0017 makes them,
    and whatever makes the table anew has to make them anew.
    """

    __tablename__ = "audit_entries"
    __table_args__ = (
        CheckConstraint(f"actor IN {ACTORS}", name="actor_known"),
        Index("ix_audit_entries_workspace_id_id", "workspace_id", "id"),
        Index("ix_audit_entries_workspace_id_who_id", "workspace_id", "who", "id"),
        Index("ix_audit_entries_what_at", "what", "at"),
        Index(
            "ix_audit_entries_keep_until",
            "keep_until",
            sqlite_where=_IS_KEPT_FOR_A_TIME,
            postgresql_where=_IS_KEPT_FOR_A_TIME,
        ),
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
