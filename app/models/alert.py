"""Alert rules, the alerts that they raise, labels of workflows, and maintenance windows."""

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.clock import now
from app.extensions import Entity
from app.models.account import User
from app.models.channel import Channel, OutboxMessage
from app.models.columns import BigId, JsonText, Moment, PrimaryKey, PublicId, UtcDateTime
from app.models.workflow import Workflow

LABEL_LENGTH = 40
RULE_NAME_LENGTH = 120
ZONE_LENGTH = 64


class AlertRule(Entity):
    """What a team wants to hear of: what kind, of which workflows, when, how often, and where.

    Neither a workflow nor a label: it looks at all workflows of the workspace.
    """

    __tablename__ = "alert_rules"
    __table_args__ = (
        UniqueConstraint("workspace_id", "name"),
        CheckConstraint("workflow_id IS NULL OR label IS NULL", name="one_scope"),
    )

    id: Mapped[PrimaryKey]
    public_id: Mapped[PublicId]
    workspace_id: Mapped[int] = mapped_column(ForeignKey("workspaces.id", ondelete="CASCADE"))
    name: Mapped[str] = mapped_column(String(RULE_NAME_LENGTH))
    kind: Mapped[str] = mapped_column(String(20))
    workflow_id: Mapped[int | None] = mapped_column(ForeignKey("workflows.id", ondelete="CASCADE"))
    label: Mapped[str | None] = mapped_column(String(LABEL_LENGTH))
    numbers: Mapped[dict[str, Any]] = mapped_column(JsonText)
    cool_down_minutes: Mapped[int]
    reminder_minutes: Mapped[int | None]
    recovery_after: Mapped[int]
    tells_recovery: Mapped[bool]
    # As HH:MM in the zone; the end may lie after midnight.
    quiet_from: Mapped[str | None] = mapped_column(String(5))
    quiet_until: Mapped[str | None] = mapped_column(String(5))
    quiet_zone: Mapped[str | None] = mapped_column(String(ZONE_LENGTH))
    is_on: Mapped[bool]
    snoozed_until: Mapped[datetime | None] = mapped_column(UtcDateTime)
    created_at: Mapped[Moment] = mapped_column(default=now)
    created_by_id: Mapped[int | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))

    workflow: Mapped[Workflow | None] = relationship()
    created_by: Mapped[User | None] = relationship()
    channels: Mapped[list[Channel]] = relationship(
        secondary="alert_rule_channels", order_by=Channel.name
    )


class AlertRuleChannel(Entity):
    """A channel that a rule's messages go to."""

    __tablename__ = "alert_rule_channels"

    rule_id: Mapped[int] = mapped_column(
        ForeignKey("alert_rules.id", ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    channel_id: Mapped[int] = mapped_column(
        ForeignKey("channels.id", ondelete="CASCADE"),
        primary_key=True,
        autoincrement=False,
        index=True,
    )


class WorkflowLabel(Entity):
    """A word that groups workflows, for rules and maintenance windows."""

    __tablename__ = "workflow_labels"
    __table_args__ = (
        UniqueConstraint("workflow_id", "label"),
        Index("ix_workflow_labels_workspace_id_label", "workspace_id", "label"),
    )

    id: Mapped[PrimaryKey]
    workspace_id: Mapped[int] = mapped_column(ForeignKey("workspaces.id", ondelete="CASCADE"))
    workflow_id: Mapped[int] = mapped_column(ForeignKey("workflows.id", ondelete="CASCADE"))
    label: Mapped[str] = mapped_column(String(LABEL_LENGTH))


def _of_some(name: str, where: str, *columns: str, unique: bool = False) -> Index:
    condition = text(where)
    return Index(name, *columns, unique=unique, sqlite_where=condition, postgresql_where=condition)


class Alert(Entity):
    """What a rule has found at a workflow (none: in the workspace), from its begin to its end.

    It outlives its rule, whose name and kind it keeps.
    """

    __tablename__ = "alerts"
    __table_args__ = (
        _of_some("uq_alerts_open", "ended_at IS NULL", "rule_id", "workflow_id", unique=True),
        _of_some(
            "uq_alerts_open_workspace",
            "ended_at IS NULL AND workflow_id IS NULL",
            "rule_id",
            unique=True,
        ),
        _of_some("ix_alerts_open", "ended_at IS NULL", "workspace_id", "id"),
        _of_some("ix_alerts_past", "ended_at IS NOT NULL", "workspace_id", "last_at"),
        _of_some("ix_alerts_due_at", "due_at IS NOT NULL", "due_at"),
        Index("ix_alerts_rule_id_workflow_id", "rule_id", "workflow_id"),
        Index("ix_alerts_workflow_id_id", "workflow_id", "id"),
        Index("ix_alerts_workflow_id_kind_id", "workflow_id", "kind", "id"),
        Index("ix_alerts_workspace_id_id", "workspace_id", "id"),
        Index("ix_alerts_workspace_id_kind_id", "workspace_id", "kind", "id"),
    )

    id: Mapped[PrimaryKey]
    public_id: Mapped[PublicId]
    workspace_id: Mapped[int] = mapped_column(ForeignKey("workspaces.id", ondelete="CASCADE"))
    rule_id: Mapped[int | None] = mapped_column(ForeignKey("alert_rules.id", ondelete="SET NULL"))
    rule_name: Mapped[str] = mapped_column(String(RULE_NAME_LENGTH))
    kind: Mapped[str] = mapped_column(String(20))
    workflow_id: Mapped[int | None] = mapped_column(ForeignKey("workflows.id", ondelete="CASCADE"))
    what: Mapped[str] = mapped_column(Text)
    detail: Mapped[dict[str, Any]] = mapped_column(JsonText)
    opened_at: Mapped[Moment]
    began_at: Mapped[Moment]
    last_at: Mapped[Moment]
    ended_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    count: Mapped[int] = mapped_column(BigId)
    good_count: Mapped[int]

    # What was told of it: a muted one is never told, one that waits is looked at again at due_at.
    is_muted: Mapped[bool]
    not_before: Mapped[datetime | None] = mapped_column(UtcDateTime)
    told_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    last_told_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    told_count: Mapped[int] = mapped_column(BigId)
    digest_count: Mapped[int]
    end_told_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    due_at: Mapped[datetime | None] = mapped_column(UtcDateTime)

    rule: Mapped[AlertRule | None] = relationship()
    workflow: Mapped[Workflow | None] = relationship()
    messages: Mapped[list[OutboxMessage]] = relationship(
        secondary="alert_messages", order_by=OutboxMessage.id, viewonly=True
    )


class AlertMessage(Entity):
    """A message that tells of an alert; one may tell of many."""

    __tablename__ = "alert_messages"

    alert_id: Mapped[int] = mapped_column(
        ForeignKey("alerts.id", ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    message_id: Mapped[int] = mapped_column(
        ForeignKey("messages.id", ondelete="CASCADE"),
        primary_key=True,
        autoincrement=False,
        index=True,
    )


class MaintenanceWindow(Entity):
    """A time in which alerts are recorded and not told; a weekly one keeps its zone's hours."""

    __tablename__ = "maintenance_windows"
    __table_args__ = (
        CheckConstraint("workflow_id IS NULL OR label IS NULL", name="one_scope"),
        Index("ix_maintenance_windows_workspace_id", "workspace_id"),
    )

    id: Mapped[PrimaryKey]
    public_id: Mapped[PublicId]
    workspace_id: Mapped[int] = mapped_column(ForeignKey("workspaces.id", ondelete="CASCADE"))
    name: Mapped[str] = mapped_column(String(RULE_NAME_LENGTH))
    workflow_id: Mapped[int | None] = mapped_column(ForeignKey("workflows.id", ondelete="CASCADE"))
    label: Mapped[str | None] = mapped_column(String(LABEL_LENGTH))
    starts_at: Mapped[Moment]
    ends_at: Mapped[Moment]
    is_weekly: Mapped[bool]
    zone: Mapped[str] = mapped_column(String(ZONE_LENGTH))
    created_at: Mapped[Moment] = mapped_column(default=now)
    created_by_id: Mapped[int | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))

    workflow: Mapped[Workflow | None] = relationship()
    created_by: Mapped[User | None] = relationship()
