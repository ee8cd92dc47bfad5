"""An API key: what lets an automation in, kept as a keyed hash."""

from datetime import date, datetime

from sqlalchemy import Date, ForeignKey, Index, Integer, String, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.clock import now
from app.extensions import Entity
from app.models.account import User
from app.models.columns import BigId, JsonText, Moment, PrimaryKey, PublicId, UtcDateTime

SCOPES = ("ingest", "read")
ADDRESS = "address"
"""The scope of a key that stands in an address, as other monitors have it, and opens nothing else:
no header, no reading. A key with any of SCOPES opens no address."""


class ApiKey(Entity):
    """A key of a workspace; `name` is free again once the key is revoked."""

    __tablename__ = "api_keys"
    __table_args__ = (
        Index(
            "uq_api_keys_workspace_id_name_active",
            "workspace_id",
            "name",
            unique=True,
            sqlite_where=text("revoked_at IS NULL"),
            postgresql_where=text("revoked_at IS NULL"),
        ),
    )

    id: Mapped[PrimaryKey]
    public_id: Mapped[PublicId]
    workspace_id: Mapped[int] = mapped_column(
        ForeignKey("workspaces.id", ondelete="CASCADE"), index=True
    )
    name: Mapped[str] = mapped_column(String(120))
    prefix: Mapped[str] = mapped_column(String(16), index=True)
    key_hash: Mapped[str] = mapped_column(String(64), unique=True)
    scopes: Mapped[str] = mapped_column(String(60), default="ingest read")
    created_at: Mapped[Moment] = mapped_column(default=now)
    created_by_id: Mapped[int | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    expires_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    # The primary keys of the workflows that the key is limited to; None: all of the workspace's.
    workflow_ids: Mapped[list[int] | None] = mapped_column(JsonText)
    replaces_id: Mapped[int | None] = mapped_column(ForeignKey("api_keys.id", ondelete="SET NULL"))
    last_used_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    revoked_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    revoked_by_id: Mapped[int | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))

    created_by: Mapped[User | None] = relationship(foreign_keys=[created_by_id])
    revoked_by: Mapped[User | None] = relationship(foreign_keys=[revoked_by_id])
    replaces: Mapped["ApiKey | None"] = relationship(remote_side="ApiKey.id")

    @property
    def scope_names(self) -> tuple[str, ...]:
        return tuple(self.scopes.split())


class KeyUsage(Entity):
    """How often a key was used on a day (UTC), and by whom: one row an address and user agent."""

    __tablename__ = "key_usage"

    api_key_id: Mapped[int] = mapped_column(
        ForeignKey("api_keys.id", ondelete="CASCADE"), primary_key=True
    )
    day: Mapped[date] = mapped_column(Date, primary_key=True)
    remote_addr: Mapped[str] = mapped_column(String(64), primary_key=True)
    user_agent: Mapped[str] = mapped_column(String(255), primary_key=True)
    count: Mapped[int] = mapped_column(BigId)
    # Of these, before the key was rotated: the rest still uses the old key.
    rotated_count: Mapped[int] = mapped_column(BigId, default=0, server_default="0")
    last_at: Mapped[Moment]
    # The hours of the day (UTC) in which it was used: bit 0 stands for midnight to one.
    hours: Mapped[int] = mapped_column(Integer, default=0, server_default="0")

    __table_args__ = (Index("ix_key_usage_day", "day"),)
