"""What events become: runs, and their sums by quarter, hour and day."""

from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import (
    CheckConstraint,
    ColumnElement,
    Float,
    ForeignKey,
    Index,
    LargeBinary,
    String,
    Text,
    UniqueConstraint,
    case,
    false,
    literal_column,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.extensions import Entity
from app.models.columns import BigId, JsonText, Moment, PrimaryKey, PublicId, UtcDateTime
from app.models.workflow import Workflow

if TYPE_CHECKING:
    from app.models.event import Event

OUTCOMES = ("success", "failure")
"""How a run can end."""
RUNNING = "running"
"""The outcome of a run that has started, and that nobody has told the end of."""
STUCK = "stuck"
"""What is asked for as an outcome, of runs that are open for longer than their workflow allows."""
OTHER_STARTS = "other_starts"
"""In `kept_from`: of each start that was told beside the run's own, its event's id and moment."""
PERIODS = ("quarter", "hour", "day")
_IS_FAILURE = text("outcome = 'failure'")
_WAS_STUCK = text("stuck_since IS NOT NULL")


class Run(Entity):
    """One execution of a workflow, told by one or more events; the latest to end decides.

    One that has started and not ended is open: its outcome is RUNNING, and it has no `ended_at`.
    """

    __tablename__ = "runs"
    __table_args__ = (
        CheckConstraint(f"outcome IN {(*OUTCOMES, RUNNING)}", name="outcome_known"),
        CheckConstraint(
            f"CASE WHEN outcome = '{RUNNING}' THEN started_at IS NOT NULL AND ended_at IS NULL "
            "ELSE ended_at IS NOT NULL END",
            name="ends_with_its_outcome",
        ),
        UniqueConstraint("workflow_id", "external_execution_id"),
        Index("ix_runs_workflow_id_ended_at", "workflow_id", "ended_at"),
        Index("ix_runs_workspace_id_id", "workspace_id", "id"),
        Index("ix_runs_workspace_id_outcome_updated_at", "workspace_id", "outcome", "updated_at"),
        Index("ix_runs_workspace_id_correlation_id", "workspace_id", "correlation_id"),
        Index(
            "ix_runs_running",
            "workflow_id",
            "started_at",
            sqlite_where=text(f"outcome = '{RUNNING}'"),
            postgresql_where=text(f"outcome = '{RUNNING}'"),
        ),
        Index(
            "ix_runs_stuck",
            "workflow_id",
            "stuck_since",
            sqlite_where=_WAS_STUCK,
            postgresql_where=_WAS_STUCK,
        ),
        Index("ix_runs_workspace_id_ended_at", "workspace_id", "ended_at"),
        Index("ix_runs_workflow_id_duration_ms", "workflow_id", "duration_ms"),
        Index(
            "ix_runs_failure",
            "error_group",
            "ended_at",
            "workspace_id",
            "workflow_id",
            sqlite_where=_IS_FAILURE,
            postgresql_where=_IS_FAILURE,
        ),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[PrimaryKey]
    public_id: Mapped[PublicId]
    workspace_id: Mapped[int] = mapped_column(ForeignKey("workspaces.id", ondelete="CASCADE"))
    workflow_id: Mapped[int] = mapped_column(ForeignKey("workflows.id", ondelete="CASCADE"))
    external_execution_id: Mapped[str | None] = mapped_column(String(255))
    outcome: Mapped[str] = mapped_column(String(10))
    previous_outcome: Mapped[str | None] = mapped_column(String(10))
    started_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    ended_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    duration_ms: Mapped[float | None] = mapped_column(Float)
    # When it had been open for as long as its workflow allows; stays when it ends after that.
    stuck_since: Mapped[datetime | None] = mapped_column(UtcDateTime)
    source_platform: Mapped[str | None] = mapped_column(String(256))
    source_workflow_id: Mapped[str | None] = mapped_column(String(255))
    correlation_id: Mapped[str | None] = mapped_column(String(255))
    error_type: Mapped[str | None] = mapped_column(String(255))
    error_message: Mapped[str | None] = mapped_column(Text)
    error_group: Mapped[str | None] = mapped_column(String(16))
    details: Mapped[dict[str, Any] | None] = mapped_column("metadata", JsonText)
    # Of what the deciding event left out: the rank of the event that told it, by field.
    kept_from: Mapped[dict[str, Any] | None] = mapped_column(JsonText)
    decided_by_event_id: Mapped[int] = mapped_column(BigId)
    event_count: Mapped[int]
    is_test: Mapped[bool] = mapped_column(default=False, server_default=false())
    created_at: Mapped[Moment]
    updated_at: Mapped[Moment]

    workflow: Mapped[Workflow] = relationship()
    events: Mapped[list["Event"]] = relationship(back_populates="run", order_by="Event.id")

    @property
    def late_start(self) -> datetime | None:
        """The latest start that was told and lies behind the run's end: it plays no part."""
        others = (self.kept_from or {}).get(OTHER_STARTS, ())
        starts = (datetime.fromisoformat(at) for _, at in others)
        ended_at = self.ended_at
        return max((at for at in starts if ended_at and at > ended_at), default=None)


def is_open() -> ColumnElement[bool]:
    """The condition that a run has started and not ended, spelt out: SQLite looks along the index
    of open runs only where it sees that it fits."""
    return Run.outcome == literal_column(f"'{RUNNING}'")


def of_outcome(outcome: str) -> ColumnElement[bool]:
    """The condition with the outcome spelt out, for the same reason."""
    if outcome not in OUTCOMES:
        raise ValueError(f"there is no outcome {outcome!r}")
    return Run.outcome == literal_column(f"'{outcome}'")


def has_outcome(outcome: str) -> ColumnElement[bool]:
    """The condition that a run ended so, is RUNNING, or is STUCK (and running as well)."""
    if outcome == STUCK:
        return is_open() & Run.stuck_since.is_not(None)
    return is_open() if outcome == RUNNING else Run.outcome == outcome


def told_before_its_end() -> ColumnElement[datetime]:
    """When a run was told of whose end lay ahead of the clock then: that is when it counts. Null
    for all others."""
    return case((Run.ended_at > Run.updated_at, Run.updated_at))


class _Sums:
    """Runs of a period (UTC, by end) as counts, a sum, and a sketch of durations."""

    period: Mapped[str] = mapped_column(String(7), primary_key=True)
    starts_at: Mapped[Moment] = mapped_column(primary_key=True)
    success_count: Mapped[int] = mapped_column(BigId)
    failure_count: Mapped[int] = mapped_column(BigId)
    timed_count: Mapped[int] = mapped_column(BigId)
    duration_sum_ms: Mapped[float] = mapped_column(Float)
    sketch: Mapped[bytes | None] = mapped_column(LargeBinary)  # See app/sketches.py.


class Rollup(_Sums, Entity):
    """The runs of a workflow in a quarter of an hour, an hour or a day."""

    __tablename__ = "rollups"
    __table_args__ = (CheckConstraint(f"period IN {PERIODS}", name="period_known"),)

    workflow_id: Mapped[int] = mapped_column(
        ForeignKey("workflows.id", ondelete="CASCADE"), primary_key=True, sort_order=-1
    )


class WorkspaceRollup(_Sums, Entity):
    """The same of all its workflows together, so that 90 days are few rows."""

    __tablename__ = "workspace_rollups"
    __table_args__ = (CheckConstraint(f"period IN {PERIODS}", name="period_known"),)

    workspace_id: Mapped[int] = mapped_column(
        ForeignKey("workspaces.id", ondelete="CASCADE"), primary_key=True, sort_order=-1
    )
