"""Who may see what: workspaces, users, their roles, and their sessions."""

from datetime import datetime

from flask_login import UserMixin
from sqlalchemy import CheckConstraint, ForeignKey, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.clock import now
from app.extensions import Entity
from app.models.columns import Moment, PrimaryKey, PublicId, UtcDateTime

ROLES = ("viewer", "member", "admin", "owner")
"""Roles in a workspace; each may do all that the ones before it may."""
THEMES = ("system", "light", "dark")
RETENTION = {
    "rejected_days": "FLOWPULSE_REJECTED_DAYS",
    "event_days": "FLOWPULSE_EVENT_DAYS",
    "failure_days": "FLOWPULSE_FAILURE_DAYS",
}
"""A workspace's own periods, and the server's settings that stand in for them."""


class Workspace(Entity):
    """A team's own workflows, keys, events and runs."""

    __tablename__ = "workspaces"

    id: Mapped[PrimaryKey]
    public_id: Mapped[PublicId]
    name: Mapped[str] = mapped_column(String(120))
    created_at: Mapped[Moment] = mapped_column(default=now)
    # Days that things are kept; None stands for the server's setting.
    rejected_days: Mapped[int | None]
    event_days: Mapped[int | None]
    failure_days: Mapped[int | None]


class User(UserMixin, Entity):
    """A person who signs in."""

    __tablename__ = "users"
    __allow_unmapped__ = True  # For session_token, which is no column.

    id: Mapped[PrimaryKey]
    public_id: Mapped[PublicId]
    email: Mapped[str] = mapped_column(String(254), unique=True)
    password_hash: Mapped[str] = mapped_column(String(255))
    name: Mapped[str | None] = mapped_column(String(120))
    time_zone: Mapped[str | None] = mapped_column(String(64))
    theme: Mapped[str] = mapped_column(String(10), default="system", server_default="system")
    created_at: Mapped[Moment] = mapped_column(default=now)

    memberships: Mapped[list["Membership"]] = relationship(
        back_populates="user", order_by="Membership.id"
    )

    session_token: str | None = None
    """The token of the session that this request came with; what Flask-Login keeps of a user."""

    def get_id(self) -> str:
        if self.session_token is None:
            raise RuntimeError("A user is signed in by sessions.start_session.")
        return self.session_token


class Membership(Entity):
    """A user's role in a workspace."""

    __tablename__ = "memberships"
    __table_args__ = (
        UniqueConstraint("workspace_id", "user_id"),
        CheckConstraint(f"role IN {ROLES}", name="role_known"),
    )

    id: Mapped[PrimaryKey]
    workspace_id: Mapped[int] = mapped_column(ForeignKey("workspaces.id", ondelete="CASCADE"))
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    role: Mapped[str] = mapped_column(String(10))
    created_at: Mapped[Moment] = mapped_column(default=now)

    user: Mapped[User] = relationship(back_populates="memberships")
    workspace: Mapped[Workspace] = relationship()


class UserSession(Entity):
    """A signed-in browser; the row's end is the session's end, in every process."""

    __tablename__ = "user_sessions"

    id: Mapped[PrimaryKey]
    token_hash: Mapped[str] = mapped_column(String(64), unique=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    created_at: Mapped[Moment] = mapped_column(default=now)
    seen_at: Mapped[Moment] = mapped_column(default=now)
    expires_at: Mapped[Moment]
    remote_addr: Mapped[str | None] = mapped_column(String(64))
    user_agent: Mapped[str | None] = mapped_column(String(255))

    user: Mapped[User] = relationship()


class Instance(Entity):
    """The one row that says that this server is set up, and by whom."""

    __tablename__ = "instance"
    __table_args__ = (CheckConstraint("id = 1", name="one_row"),)

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False, default=1)
    owner_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    set_up_at: Mapped[Moment] = mapped_column(default=now)
    # Any of them, at last.
    worker_seen_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    web_seen_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    secret_mark: Mapped[str | None] = mapped_column(String(32))
