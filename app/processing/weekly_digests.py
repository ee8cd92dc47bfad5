"""The weekly digest: each workflow's runs, failures and silent times, to who wants them by mail."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import NamedTuple

from sqlalchemy import func, select
from sqlalchemy.orm import Session, joinedload

from app.channels.message import Message
from app.channels.network import link_to, read_mail_server
from app.channels.outbox import put_mail
from app.channels.weekly import ID_PREFIX, latest_monday, week_before, zone_of
from app.clock import now
from app.extensions import db, writing
from app.models import Membership, Rollup, Silence, WeeklyDigest, Workflow

MOST_LINES = 100


class Week(NamedTuple):
    """How a workflow's week went."""

    name: str
    runs: int
    failures: int
    silent: timedelta


def send_weekly_digests() -> int:
    """Put in the digests that are due; returns how many. Without a mail server, they wait."""
    if read_mail_server() is None:
        return 0
    query = select(WeeklyDigest).options(
        joinedload(WeeklyDigest.membership).joinedload(Membership.user)
    )
    moment = now()
    due = [
        (each.membership_id, monday)
        for each in db.session.scalars(query)
        if _is_new(each, monday := latest_monday(moment, zone_of(each.membership.user.time_zone)))
    ]
    db.session.rollback()
    return sum(_send(membership_id, monday) for membership_id, monday in due)


def _is_new(digest: WeeklyDigest, monday: date) -> bool:
    return digest.last_monday is None or digest.last_monday < monday


def _send(membership_id: int, monday: date) -> int:
    """The mark and the message in one transaction, so that no week comes twice or never."""
    with writing() as session:
        digest = session.get(WeeklyDigest, membership_id, with_for_update=True)
        if digest is None or not _is_new(digest, monday):
            return 0  # Another worker was first, or the person has changed their mind.
        digest.last_monday = monday
        membership = digest.membership
        message = _write(session, membership, monday)
        addresses = [membership.user.email]
        put_mail(session.connection(), message, membership.workspace_id, addresses, message.at)
    return 1


def _write(session: Session, membership: Membership, monday: date) -> Message:
    begin, end = week_before(monday, zone_of(membership.user.time_zone))
    weeks = read_weeks(session, membership.workspace_id, begin, end)
    runs, failures = sum(each.runs for each in weeks), sum(each.failures for each in weeks)
    lines = [_describe(each) for each in weeks[:MOST_LINES]]
    if len(weeks) > MOST_LINES:
        lines.append(f"… and {len(weeks) - MOST_LINES:,} more workflows.")
    name, sunday = membership.workspace.name, monday - timedelta(days=1)
    return Message(
        id=f"{ID_PREFIX}{monday:%Y%m%d}-{membership.id}",
        kind="digest",
        title=f"{name}: {_count(runs, 'run')}, {failures:,} failed in the week to {sunday:%d %b}",
        text="\n".join(lines or ["No workflow has run."]),
        facts=(
            ("Week", f"{monday - timedelta(days=7):%d %b %Y} to {sunday:%d %b %Y}"),
            ("Why you get this", "you asked for it in your account, and can end it there"),
        ),
        link=link_to("/"),
        incident="",
        at=now(),
    )


def read_weeks(session: Session, workspace_id: int, begin: datetime, end: datetime) -> list[Week]:
    """The workspace's workflows that were in use then, those with the most failures first.

    From the hourly sums: where a zone is half an hour off, hours count by their beginning.
    """
    sums = (
        select(
            Rollup.workflow_id,
            func.sum(Rollup.success_count + Rollup.failure_count),
            func.sum(Rollup.failure_count),
        )
        .join(Workflow, Workflow.id == Rollup.workflow_id)
        .where(
            Workflow.workspace_id == workspace_id,
            Rollup.period == "hour",
            Rollup.starts_at >= begin,
            Rollup.starts_at < end,
        )
        .group_by(Rollup.workflow_id)
    )
    counts = {row[0]: (int(row[1]), int(row[2])) for row in session.execute(sums)}
    silent = _add_up_silences(session, workspace_id, begin, end)
    was_there = (Workflow.created_at < end) | Workflow.id.in_(list(silent))
    used = (Workflow.archived_at.is_(None) & was_there) | Workflow.id.in_(list(counts))
    workflows = session.scalars(
        select(Workflow).where(Workflow.workspace_id == workspace_id, used).order_by(Workflow.name)
    )
    weeks = [
        Week(each.name, *counts.get(each.id, (0, 0)), silent.get(each.id, timedelta()))
        for each in workflows
    ]
    return sorted(weeks, key=lambda week: (-week.failures, not week.silent, -week.runs))


def _add_up_silences(
    session: Session, workspace_id: int, begin: datetime, end: datetime
) -> dict[int, timedelta]:
    """By workflow; what was missed while FlowPulse itself was down is no silence."""
    silences: Sequence[Silence] = session.scalars(
        select(Silence)
        .join(Workflow, Workflow.id == Silence.workflow_id)
        .where(
            Workflow.workspace_id == workspace_id,
            Silence.during_downtime.is_(False),
            Silence.silent_since < end,
            Silence.ended_at.is_(None) | (Silence.ended_at > begin),
        )
    ).all()
    total: dict[int, timedelta] = {}
    for each in silences:
        part = min(each.ended_at or end, end) - max(each.silent_since, begin)
        total[each.workflow_id] = total.get(each.workflow_id, timedelta()) + part
    return total


def _describe(week: Week) -> str:
    said = [_count(week.runs, "run")]
    if week.failures:
        said.append(f"{week.failures:,} failed")
    if week.silent:
        said.append(f"silent for {_in_words(week.silent)}")
    return f"{week.name}: {', '.join(said)}"


def _count(number: int, name: str) -> str:
    return f"{number:,} {name}" if number == 1 else f"{number:,} {name}s"


def _in_words(length: timedelta) -> str:
    minutes = max(1, round(length.total_seconds() / 60))
    return f"{minutes} min" if minutes < 120 else f"{round(minutes / 60)} h"
