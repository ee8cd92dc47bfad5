"""The words of messages: what, the error, since when and how many, and links; plain text."""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime, tzinfo
from typing import Literal
from zoneinfo import ZoneInfo

from app.alerting.course import Said, Saying
from app.alerting.kinds import KINDS
from app.alerting.quiet import zone_named
from app.alerting.reasons import in_words, reasons_of
from app.channels.message import Message, MessageKind
from app.channels.network import link_to
from app.channels.wording import cut, one_line
from app.durations import in_words as duration_in_words
from app.identifiers import new_id
from app.models import Alert, AlertRule

NOBODY = "A workflow"
MOST_LINES = 20
"""Alerts that a message for many names; the rest is a number."""
MOST_HEADLINE, MOST_ERROR = 120, 100
"""Characters of each there: all of it is some 8,000 at most. A channel that takes less leaves out
the last lines."""

Ending = Literal["archived", "changed", "closed", "deleted", "off", "uncovered", "unscheduled"]
ENDINGS: dict[Ending, str] = {
    "archived": "The workflow was archived.",
    "changed": "The rule looks for something else now.",
    "closed": "Somebody closed it.",
    "deleted": "The rule was deleted.",
    "off": "The rule was switched off.",
    "uncovered": "The rule no longer covers this workflow.",
    "unscheduled": "The workflow's schedule was changed or removed.",
}
"""Why an alert ended that has not recovered, as its detail keeps it."""
MESSAGE_KIND: dict[Saying, MessageKind] = {
    "opened": "alert",
    "digest": "digest",
    "reminder": "reminder",
    "recovered": "recovery",
    "passed": "recovery",
}
SUMS: dict[Saying, tuple[str, str]] = {
    "opened": ("1 more alert", "{} more alerts"),
    "digest": ("1 goes on", "{} go on"),
    "reminder": ("1 reminder", "{} reminders"),
    "recovered": ("1 is over", "{} are over"),
}
"""What a message about many says in its title of one, and of several; `passed` are over too."""


def title_of(alert: Alert, name: str) -> str:
    """`Lead enrichment failed 3 times in a row`."""
    return KINDS[alert.kind].title(name, alert.detail)


def headline(said: Said, name: str) -> str:
    """The title of a message about one alert."""
    alert, kind = said.alert, KINDS[said.alert.kind]
    titles: dict[Saying, str] = {
        "opened": alert.what,
        "digest": f"{name}: {_many(alert.count - said.told_before, alert.kind, 'more ')}",
        "reminder": f"Still so: {alert.what}",
        "recovered": kind.over(name),
        "passed": f"{alert.what}; it is over",
    }
    return titles[said.saying]


def compose(
    rule: AlertRule,
    message: Sequence[Said],
    names: Mapping[int, str],
    explanations: Mapping[int, str],
    now: datetime,
) -> Message:
    """One message, about one alert or many. `names` are those of the workflows by their ids,
    `explanations` why something may be so, by the ids of the alerts."""
    if len(message) > 1:
        return _about_many(rule, message, names, now)
    (said,) = message
    alert, zone = said.alert, zone_of(rule)
    name = name_of(alert, names)
    reasons = "\n".join(_reasons_of(alert))
    told = (_error_of(alert), reasons, explanations.get(alert.id, ""), _tell(said, zone))
    return Message(
        id=new_id(),
        kind=MESSAGE_KIND[said.saying],
        title=headline(said, name),
        text="\n".join(filter(None, told)),
        facts=tuple(_facts(rule, alert, name, zone)),
        link=link_to(f"/alerts/{alert.public_id}"),
        incident=alert.public_id,
        at=now,
    )


def _error_of(alert: Alert) -> str:
    """That of the last finding, while the alert is open."""
    if alert.ended_at is not None:
        return ""
    error_type = one_line(alert.detail.get("error_type") or "")
    return ": ".join(filter(None, (error_type, alert.detail.get("error"))))


def _reasons_of(alert: Alert) -> list[str]:
    """Why requests were refused as of the last finding, while the alert is open."""
    return [] if alert.ended_at else [in_words(each) for each in reasons_of(alert.detail)]


def _tell(said: Said, zone: ZoneInfo) -> str:
    alert = said.alert
    since = moment_in_words(alert.began_at, zone)
    total = _many(alert.count, alert.kind)
    if alert.ended_at is not None:
        ended = moment_in_words(alert.ended_at, zone)
        return f"It lasted from {since} to {ended}, with {total}."
    if said.saying == "digest" and said.told_last_at:
        new = _many(alert.count - said.told_before, alert.kind)
        told = moment_in_words(said.told_last_at, zone)
        since = "" if since == told else f" since {since}"
        return f"{new} since {told}, {alert.count:,} in all{since}."
    return f"Since {since}, {total} so far."


def _facts(rule: AlertRule, alert: Alert, name: str, zone: ZoneInfo) -> list[tuple[str, str]]:
    """What the text does not say."""
    detail = alert.detail
    run = None if alert.ended_at else detail.get("run") or next(iter(detail.get("runs", ())), None)
    refused = None if alert.ended_at else detail.get("event")
    took, limit = detail.get("duration_ms"), detail.get("limit_ms")
    rows = (
        ("Workflow", name if alert.workflow_id else ""),
        ("Took", duration_in_words(took) if took is not None and limit is not None else ""),
        ("Limit", duration_in_words(limit) if limit is not None else ""),
        ("Expected", _iso_in_words(detail.get("expected_at"), zone)),
        ("Rule", rule.name),
        ("Run", link_to(f"/runs/{run}") if run else ""),
        ("Newest request", link_to(f"/events/{refused}") if refused else ""),
    )
    return [(label, value) for label, value in rows if value]


def _about_many(
    rule: AlertRule, message: Sequence[Said], names: Mapping[int, str], now: datetime
) -> Message:
    zone, more = zone_of(rule), len(message) - MOST_LINES
    shown = [_in_short(said, name_of(said.alert, names), zone) for said in message[:MOST_LINES]]
    if more > 0:
        shown.append(f"and {more:,} more")
    kinds = {MESSAGE_KIND[said.saying] for said in message}
    return Message(
        id=new_id(),
        kind="recovery" if kinds == {"recovery"} else "digest",
        title=f"{rule.name}: {_sum_up(message)}",
        text="\n\n".join(shown),
        facts=(("Alerts", f"{len(message):,}"), ("Rule", rule.name)),
        link=link_to("/alerts"),
        incident="",
        at=now,
    )


def _sum_up(message: Sequence[Said]) -> str:
    """`5 more alerts, 3 are over`."""
    said = Counter(each.saying for each in message)
    said["recovered"] += said.pop("passed", 0)
    parts = ((words, said[saying]) for saying, words in SUMS.items())
    return ", ".join(one if n == 1 else many.format(f"{n:,}") for (one, many), n in parts if n)


def _in_short(said: Said, name: str, zone: ZoneInfo) -> str:
    """One of many: what and the error; since when, how many, and where to read on."""
    what = cut(one_line(headline(said, name)), MOST_HEADLINE)
    why = _error_of(said.alert) or "; ".join(_reasons_of(said.alert))
    error = cut(one_line(why), MOST_ERROR)
    link = link_to(f"/alerts/{said.alert.public_id}")
    return "\n".join(filter(None, (f"{what}: {error}" if error else what, _tell(said, zone), link)))


def ending_of(alert: Alert) -> str:
    """Why it ended, where it has not recovered; else empty."""
    return ENDINGS.get(alert.detail.get("ended", ""), "") if alert.ended_at else ""


def resolution_of(alert: Alert, now: datetime) -> Message:
    """For channels that keep an incident of an alert whose end nobody is told of."""
    return Message(
        id=new_id(),
        kind="resolve",
        title=f"{alert.what}: no longer open",
        text=f"{ending_of(alert) or 'It is over.'} This only closes the incident.",
        facts=(("Rule", alert.rule_name),),
        link=link_to(f"/alerts/{alert.public_id}"),
        incident=alert.public_id,
        at=now,
    )


def name_of(alert: Alert, names: Mapping[int, str]) -> str:
    return names.get(alert.workflow_id or 0, NOBODY)


def _many(count: int, kind: str, which: str = "") -> str:
    one, many = KINDS[kind].unit
    return f"{count:,} {which}{one if count == 1 else many}"


def zone_of(rule: AlertRule) -> ZoneInfo:
    """The zone of its quiet hours is also that of the times in its messages."""
    return zone_named(rule.quiet_zone or "UTC")


def moment_in_words(moment: datetime, zone: tzinfo) -> str:
    """`28 Nov 2026, 22:16 UTC`."""
    local = moment.astimezone(zone)
    return f"{local.day} {local:%b %Y, %H:%M} {local.tzname()}"


def _iso_in_words(text: str | None, zone: ZoneInfo) -> str:
    return moment_in_words(datetime.fromisoformat(text), zone) if text else ""
