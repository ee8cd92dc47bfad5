"""A workflow: what a team watches, under a stable id, a slug and a name."""

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from sqlalchemy import ForeignKey, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.clock import now
from app.extensions import Entity
from app.models.columns import Moment, PrimaryKey, PublicId, UtcDateTime

if TYPE_CHECKING:
    from app.models.schedule import Schedule, Silence

NAME_LENGTH = 120
URL_LENGTH = 500
SLUG_LENGTH = 80
IMPORT_LENGTH = 100
FORMER_SLUG_LIFETIME = timedelta(days=30)
"""How long a workflow's old slug works on after a rename."""

STUCK_AFTER = timedelta(days=1)
"""How long a run may be open, where its workflow says nothing else."""


class Workflow(Entity):
    """An automation whose runs are reported."""

    __tablename__ = "workflows"
    __table_args__ = (
        UniqueConstraint("workspace_id", "slug"),
        UniqueConstraint("workspace_id", "name"),
        Index("uq_workflows_imported_from", "workspace_id", "imported_from", unique=True),
    )

    id: Mapped[PrimaryKey]
    public_id: Mapped[PublicId]
    workspace_id: Mapped[int] = mapped_column(ForeignKey("workspaces.id", ondelete="CASCADE"))
    name: Mapped[str] = mapped_column(String(NAME_LENGTH))
    slug: Mapped[str] = mapped_column(String(SLUG_LENGTH))
    created_at: Mapped[Moment] = mapped_column(default=now)
    archived_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    is_demo: Mapped[bool] = mapped_column(default=False)
    stuck_after_seconds: Mapped[int | None]  # None stands for STUCK_AFTER.
    # Where a run can be looked at on the source platform, with {execution_id} in its place.
    run_url: Mapped[str | None] = mapped_column(String(URL_LENGTH))
    badge_token: Mapped[str | None] = mapped_column(String(43), unique=True)
    # What it was made from: the other system and its own id there, so that none is made twice.
    imported_from: Mapped[str | None] = mapped_column(String(IMPORT_LENGTH))

    schedule: Mapped["Schedule | None"] = relationship(
        back_populates="workflow", passive_deletes=True
    )
    open_silence: Mapped["Silence | None"] = relationship(
        primaryjoin="and_(Workflow.id == Silence.workflow_id, Silence.ended_at.is_(None))",
        viewonly=True,
    )

    @property
    def silent_since(self) -> datetime | None:
        """Since when a run that it owes has not come; a downtime of ours is no fault of its."""
        silence = self.open_silence
        return silence.silent_since if silence and not silence.during_downtime else None


class FormerSlug(Entity):
    """A slug that a workflow had before it was renamed; it works on for a while."""

    __tablename__ = "former_slugs"
    __table_args__ = (UniqueConstraint("workspace_id", "slug"),)

    id: Mapped[PrimaryKey]
    workspace_id: Mapped[int] = mapped_column(ForeignKey("workspaces.id", ondelete="CASCADE"))
    workflow_id: Mapped[int] = mapped_column(
        ForeignKey("workflows.id", ondelete="CASCADE"), index=True
    )
    slug: Mapped[str] = mapped_column(String(SLUG_LENGTH))
    expires_at: Mapped[Moment] = mapped_column(index=True)

    workflow: Mapped[Workflow] = relationship()
