"""When runs are due: schedules, silences of workflows, and downtimes of FlowPulse itself."""

from collections.abc import Callable
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, false, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.clock import now
from app.extensions import Entity
from app.models.columns import BigId, Moment, PrimaryKey, UtcDateTime
from app.models.run import Run
from app.models.workflow import Workflow
from app.timetable import Cron, Interval, Timetable

SCHEDULE_KINDS = ("interval", "cron")
EXPRESSION_LENGTH = 200


class Schedule(Entity):
    """When a workflow's runs are expected, and until when the next one may come."""

    __tablename__ = "schedules"
    __table_args__ = (CheckConstraint(f"kind IN {SCHEDULE_KINDS}", name="kind_known"),)

    id: Mapped[PrimaryKey]
    workflow_id: Mapped[int] = mapped_column(
        ForeignKey("workflows.id", ondelete="CASCADE"), unique=True
    )
    kind: Mapped[str] = mapped_column(String(10))
    every_seconds: Mapped[int | None]
    cron_expression: Mapped[str | None] = mapped_column(String(EXPRESSION_LENGTH))
    time_zone: Mapped[str] = mapped_column(String(64))
    grace_seconds: Mapped[int]
    created_at: Mapped[Moment] = mapped_column(default=now)
    changed_at: Mapped[Moment] = mapped_column(default=now)
    # What the worker keeps up to date: the newest sign of a run, when the next one is due, and
    # when that is overdue.
    last_run_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    next_expected_at: Mapped[Moment] = mapped_column(index=True)
    overdue_at: Mapped[Moment] = mapped_column(index=True)

    workflow: Mapped[Workflow] = relationship(back_populates="schedule")

    @property
    def timetable(self) -> Timetable:
        return _TIMETABLES[self.kind](self)

    @property
    def grace(self) -> timedelta:
        return timedelta(seconds=self.grace_seconds)

    @property
    def is_late(self) -> bool:
        """Whether the next run should have come; within the grace time it still may."""
        return self.next_expected_at <= now()

    def expect(self, at: datetime) -> None:
        """Have the next run be due at that moment."""
        self.next_expected_at = at
        self.overdue_at = at + self.grace


_TIMETABLES: dict[str, Callable[[Schedule], Timetable]] = {
    "interval": lambda schedule: Interval(
        timedelta(seconds=schedule.every_seconds or 0), _find_zone(schedule.time_zone)
    ),
    "cron": lambda schedule: Cron(schedule.cron_expression or "", _find_zone(schedule.time_zone)),
}


def _find_zone(name: str) -> ZoneInfo:
    """UTC for a zone that the machine no longer knows: it must not stop the worker."""
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError):
        return ZoneInfo("UTC")


class Silence(Entity):
    """A time in which a workflow's expected runs did not come; open while `ended_at` is null."""

    __tablename__ = "silences"
    __table_args__ = (
        Index(
            "uq_silences_open",
            "workflow_id",
            unique=True,
            sqlite_where=text("ended_at IS NULL"),
            postgresql_where=text("ended_at IS NULL"),
        ),
        Index("ix_silences_workflow_id_silent_since", "workflow_id", "silent_since"),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[PrimaryKey]
    workflow_id: Mapped[int] = mapped_column(ForeignKey("workflows.id", ondelete="CASCADE"))
    expected_at: Mapped[Moment]
    silent_since: Mapped[Moment]
    # With no run beside it, a changed, removed or archived schedule ended the silence, or a new
    # one that is no longer owed to a downtime.
    ended_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    ended_by_run_id: Mapped[int | None] = mapped_column(
        BigId, ForeignKey("runs.id", ondelete="SET NULL"), index=True
    )
    missed_count: Mapped[int]
    during_downtime: Mapped[bool] = mapped_column(default=False, server_default=false())

    workflow: Mapped[Workflow] = relationship()
    ended_by_run: Mapped[Run | None] = relationship()


class Downtime(Entity):
    """A time in which no worker or no web process lived; what was expected may have come unseen."""

    __tablename__ = "downtimes"

    id: Mapped[PrimaryKey]
    began_at: Mapped[Moment]
    ended_at: Mapped[Moment] = mapped_column(index=True)
