"""Who may see what: workspaces, users, their roles, and their sessions."""

from datetime import datetime

from flask_login import UserMixin
from sqlalchemy import CheckConstraint, ForeignKey, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.clock import now
from app.extensions import Entity
from app.models.columns import BigId, Moment, PrimaryKey, PublicId, UtcDateTime

ROLES = ("viewer", "member", "admin", "owner")
"""Roles in a workspace; each may do all that the ones before it may."""
THEMES = ("system", "light", "dark")
NO_PASSWORD = "!"  # noqa: S105
"""What stands in place of a hash begins with it: no password fits."""
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
    # Nobody is in it any more, no key opens it, and the worker removes what it had.
    deleted_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class User(UserMixin, Entity):
    """A person who signs in."""

    __tablename__ = "users"
    __allow_unmapped__ = True  # For what is of the session, and no column.

    id: Mapped[PrimaryKey]
    public_id: Mapped[PublicId]
    email: Mapped[str] = mapped_column(String(254), unique=True)
    password_hash: Mapped[str] = mapped_column(String(255))  # Or NO_PASSWORD…
    name: Mapped[str | None] = mapped_column(String(120))
    time_zone: Mapped[str | None] = mapped_column(String(64))
    theme: Mapped[str] = mapped_column(String(10), default="system", server_default="system")
    created_at: Mapped[Moment] = mapped_column(default=now)
    # The second factor: its secret, sealed, and the last step (of 30 s) whose code was used.
    totp_sealed: Mapped[str | None] = mapped_column(Text)
    totp_step: Mapped[int | None] = mapped_column(BigId)

    memberships: Mapped[list["Membership"]] = relationship(
        back_populates="user", order_by="Membership.id"
    )

    session_token: str | None = None
    """The token of the session that this request came with; what Flask-Login keeps of a user."""
    password_given_at: datetime | None = None
    """When the password was last given in that session."""
    has_lost: str = ""
    """What this sign-in has taken away of what opened the account before it."""

    @property
    def has_password(self) -> bool:
        return not self.password_hash.startswith(NO_PASSWORD)

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
    """A signed-in browser; the row's end is the session's end, in every process.

    Where somebody else has ended it, the row stays for a while with the reason, to be told.
    """

    __tablename__ = "user_sessions"

    id: Mapped[PrimaryKey]
    token_hash: Mapped[str] = mapped_column(String(64), unique=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    created_at: Mapped[Moment] = mapped_column(default=now)
    seen_at: Mapped[Moment] = mapped_column(default=now)
    expires_at: Mapped[Moment]
    remote_addr: Mapped[str | None] = mapped_column(String(64))
    user_agent: Mapped[str | None] = mapped_column(String(255))
    password_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    end_reason: Mapped[str | None] = mapped_column(String(10))

    user: Mapped[User] = relationship()


class RecoveryCode(Entity):
    """A way in for who has lost the second factor; the row goes when it is used."""

    __tablename__ = "recovery_codes"

    user_id: Mapped[int] = mapped_column(
        ForeignKey("users.id", ondelete="CASCADE"), primary_key=True, type_=BigId
    )
    code_hash: Mapped[str] = mapped_column(String(64), primary_key=True)


class Identity(Entity):
    """Who a person is at a provider: bound at the first sign-in, so that whoever gets the same
    address there later is somebody else here."""

    __tablename__ = "identities"
    __table_args__ = (UniqueConstraint("issuer", "subject"), UniqueConstraint("user_id", "issuer"))

    id: Mapped[PrimaryKey]
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    issuer: Mapped[str] = mapped_column(String(255))
    subject: Mapped[str] = mapped_column(String(255))
    created_at: Mapped[Moment] = mapped_column(default=now)

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
