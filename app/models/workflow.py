"""A workflow: what a team watches, under a stable id, a slug and a name."""

from datetime import datetime

from sqlalchemy import ForeignKey, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.clock import now
from app.extensions import Entity
from app.models.columns import Moment, PrimaryKey, PublicId, UtcDateTime

NAME_LENGTH = 120
SLUG_LENGTH = 80


class Workflow(Entity):
    """An automation whose runs are reported."""

    __tablename__ = "workflows"
    __table_args__ = (
        UniqueConstraint("workspace_id", "slug"),
        UniqueConstraint("workspace_id", "name"),
    )

    id: Mapped[PrimaryKey]
    public_id: Mapped[PublicId]
    workspace_id: Mapped[int] = mapped_column(ForeignKey("workspaces.id", ondelete="CASCADE"))
    name: Mapped[str] = mapped_column(String(NAME_LENGTH))
    slug: Mapped[str] = mapped_column(String(SLUG_LENGTH))
    created_at: Mapped[Moment] = mapped_column(default=now)
    archived_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    is_demo: Mapped[bool] = mapped_column(default=False)
