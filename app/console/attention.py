"""What needs attention: each source looks at the workspace and says it in lines, worst first."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from flask import url_for
from sqlalchemy import func, select

from app.alerting.kinds import KINDS
from app.beginnings import mask_beginning, most_read
from app.clock import now
from app.console.access import ACCESS
from app.console.alerts import explain_alert, list_alerted, list_open
from app.console.attention_lines import Line, Situation
from app.console.backup_trouble import look_at_backups
from app.console.formatting import number, plural
from app.console.guards import may
from app.console.hidden import visible
from app.console.mails import name_mails
from app.console.open_problems import Group, load_newest
from app.console.problem_titles import title_of, workflow_of
from app.console.reader import current_reader
from app.console.workflow_health import WorkflowHealth, span
from app.extensions import db
from app.models import Alert, Channel, Event, Run
from app.processing.dead_letters import MOST, list_dead_letters
from app.processing.silence_causes import explain_silence
from app.processing.stuck_runs import stuck_after
from app.signs import show_signs
from app.workspaces.mails import list_failing

MAX_LINES = 5
"""Lines of one source; the rest is a number and a link."""
MAX_MESSAGE = 200


def list_lines(situation: Situation) -> list[Line]:
    return [line for look in SOURCES for line in look(situation)]


def _look_at_worker(situation: Situation) -> list[Line]:
    if (trouble := situation.worker) is None:
        return []
    return [
        Line(
            "worker",
            "red" if trouble.stands_still else "amber",
            "hourglass",
            trouble.title,
            trouble.text,
            ("What to do", url_for("troubleshooting.show_table", _anchor="worker_stalled")),
        )
    ]


def _look_at_dead_letters(situation: Situation) -> list[Line]:
    count = len(list_dead_letters(db.session(), situation.workspace_id))
    if not count:
        return []
    said = f"{number(count)} or more events" if count == MOST else plural(count, "event")
    return [
        Line(
            "dead-letters",
            "red",
            "inbox",
            f"{said} could not become a run",
            "Kept, and given up on after five attempts.",
            ("Show", url_for("live_log.show_events", state="failed")),
            action=("Retry all", url_for("overview.retry_failed")),
        )
    ]


def _look_at_failing(situation: Situation) -> list[Line]:
    failing = [each for each in _not_alerted(situation, "runs") if each.state == "failing"]
    shown = ((each, "red", "circle-x", _describe_failure(each)) for each in failing[:MAX_LINES])
    lines = [_about_workflow(*each) for each in shown]
    more = _count_rest(failing, "more failing workflow", "red", "circle-x", _table_address())
    return lines + more


def _not_alerted(situation: Situation, source: str) -> list[WorkflowHealth]:
    """The workflows of which no open alert tells this already."""
    told = list_alerted(situation.workspace_id)
    return [each for each in situation.health if (source, each.workflow.id) not in told]


def _describe_failure(health: WorkflowHealth) -> str:
    row = health.failures_in_a_row
    said = "The last run failed" if row == 1 else f"The last {row} runs failed"
    text = select(func.substr(Run.error_message, 1, most_read(MAX_MESSAGE)))
    message = db.session.scalar(text.where(Run.id == health.runs[-1].id))
    return f"{said}: {mask_beginning(message, MAX_MESSAGE, visible)}" if message else said


def _look_at_alerts(situation: Situation) -> list[Line]:
    alerts, count = list_open(situation.workspace_id, MAX_LINES)
    lines = [
        Line(
            f"alert-{alert.public_id}",
            "red",
            KINDS[alert.kind].icon,
            alert.what,
            _describe_alert(alert),
            ("Open", url_for("alerts.show_alert", public_id=alert.public_id)),
            alert.last_at,
        )
        for alert in alerts
    ]
    rest = range(max(count, len(alerts)))
    return lines + _count_rest(rest, "more alert", "red", "bell", url_for("alerts.show_alerts"))


def _describe_alert(alert: Alert) -> str:
    said = alert.detail.get("error") or " ".join(explain_alert(alert)[:2]).strip()
    return mask_beginning(said or f"Found by the rule {alert.rule_name}", MAX_MESSAGE, visible)


def _look_at_problems(situation: Situation) -> list[Line]:
    recent = [group for group in situation.groups if group.recent and not group.ignored]
    first = recent[:MAX_LINES]
    newest = load_newest(first)
    lines = [
        Line(
            f"problem-{group.fingerprint}",
            "amber",
            "ban",
            f"{number(group.recent)} × {title_of(newest[group.last_id])}",
            _describe_sender(newest[group.last_id]),
            ("See why", _problem_address(group)),
            newest[group.last_id].received_at,
        )
        for group in first
        if group.last_id in newest
    ]
    address = url_for("problem_groups.show_groups")
    return lines + _count_rest(recent, "more problem", "amber", "ban", address)


def _describe_sender(event: Event) -> str:
    """`from n8n, key n8n-prod, for lead-enrichment`."""
    said = (
        ("from", event.platform),
        ("key", event.api_key.name if event.api_key else None),
        ("for", workflow_of(event)),
    )
    return ", ".join(f"{word} {visible(value)}" for word, value in said if value)


def _look_at_silent(situation: Situation) -> list[Line]:
    silent = [each for each in _not_alerted(situation, "silences") if each.state == "silent"]
    lines = [_about_silent(each) for each in silent[:MAX_LINES]]
    more = _count_rest(silent, "more silent workflow", "amber", "bell-off", _table_address())
    return lines + more


def _about_silent(health: WorkflowHealth) -> Line:
    """With the refused request that may be why, where there is one."""
    text = f"Silent: {health.silence_in_words}"
    cause = explain_silence(db.session(), health.workflow, health.at, current_reader().zone)
    if cause is None:
        return _about_workflow(health, "amber", "bell-off", text)
    line = _about_workflow(health, "amber", "bell-off", f"{text}. {show_signs(cause.text)}")
    if not cause.event_id:
        return line
    address = url_for("event.show_event", public_id=cause.event_id)
    return replace(line, link=("See why", address))


def _look_at_stuck(situation: Situation) -> list[Line]:
    stuck = [each for each in _not_alerted(situation, "stuck") if each.stuck]
    lines = [
        _about_workflow(each, "red", "hourglass", _describe_stuck(each), "stuck")
        for each in stuck[:MAX_LINES]
    ]
    more = _count_rest(stuck, "more stuck workflow", "red", "hourglass", _table_address())
    return lines + more


def _describe_stuck(health: WorkflowHealth) -> str:
    limit = span(stuck_after(health.workflow))
    if health.stuck == 1:
        return f"A run has started and not ended for more than {limit}"
    return f"{number(health.stuck)} runs have started and not ended for more than {limit}"


def _look_at_channels(situation: Situation) -> list[Line]:
    """Messages that don't arrive are worse than none: nobody would miss them."""
    is_broken = Channel.failing_since.is_not(None) | Channel.disabled_at.is_not(None)
    query = select(Channel).where(Channel.workspace_id == situation.workspace_id, is_broken)
    broken = db.session.scalars(query.order_by(Channel.name)).all()
    address = url_for("channels.show_channels")
    lines = [
        Line(
            f"channel-{channel.public_id}",
            "amber" if channel.disabled_at else "red",
            "bell-off",
            f"Channel {channel.name}",
            "Switched off, after nothing had reached it for 5 days"
            if channel.disabled_at
            else "Messages do not arrive; they are tried again",
            ("Show", address),
            channel.disabled_at or channel.failing_since,
        )
        for channel in broken[:MAX_LINES]
    ]
    return lines + _count_rest(broken, "more broken channel", "red", "bell-off", address)


def _look_at_mails(situation: Situation) -> list[Line]:
    """Digests and notices that don't arrive. Whom they were for is only for who may see that."""
    if not may(ACCESS["mails"].look):
        return []
    failing = list_failing(situation.workspace_id, now())
    names = name_mails(failing[:MAX_LINES])
    lines = [
        Line(
            f"mail-{mail.public_id}",
            "red",
            "mail",
            names[mail.id],
            "It does not arrive; it is tried again"
            if mail.state == "waiting"
            else "It has not arrived, and is no longer tried",
            ("See why", url_for("delivery.show_delivery", public_id=mail.public_id)),
            mail.message.created_at,
        )
        for mail in failing[:MAX_LINES]
    ]
    address = url_for("mails.show_mails")
    return lines + _count_rest(failing, "more undelivered mail", "red", "mail", address)


SOURCES: tuple[Callable[[Situation], list[Line]], ...] = (
    _look_at_worker,
    look_at_backups,
    _look_at_channels,
    _look_at_mails,
    _look_at_dead_letters,
    _look_at_alerts,
    _look_at_failing,
    _look_at_stuck,
    _look_at_problems,
    _look_at_silent,
)


def _about_workflow(
    health: WorkflowHealth, tone: str, icon: str, text: str, about: str = ""
) -> Line:
    workflow = health.workflow
    address = url_for("workflows.show_workflow", public_id=workflow.public_id)
    key = f"{about or health.state}-{workflow.public_id}"
    at = health.last.ended_at if health.last and not about else None
    return Line(key, tone, icon, workflow.name, text, ("Open", address), at)


def _count_rest(
    everything: Sequence[object], name: str, tone: str, icon: str, address: str
) -> list[Line]:
    rest = len(everything) - MAX_LINES
    if rest <= 0:
        return []
    key = f"more-{name.split()[1]}"
    return [Line(key, tone, icon, plural(rest, name), "", ("Show all", address))]


def _problem_address(group: Group) -> str:
    return url_for("problem_groups.show_group", fingerprint=group.fingerprint)


def _table_address() -> str:
    return url_for("overview.show_overview", _anchor="workflows")
