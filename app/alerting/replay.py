"""Which alerts a rule would have sent: the same judges and the same course, over the past."""

import heapq
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy.orm import Session

from app.alerting.course import Said, settle, step
from app.alerting.kinds import KINDS
from app.alerting.past import READERS, Sighting
from app.alerting.rulebook import Rulebook, complete
from app.alerting.telling import read_names
from app.alerting.words import name_of, title_of
from app.models import Alert, AlertRule

Hear = Callable[[list[Said], datetime], None]
"""Called with each message as it would have been sent: what it says, and when."""


@dataclass(slots=True)
class Replay:
    """What would have been: the alerts, the newest first, and how many messages told of them."""

    alerts: list[Alert] = field(default_factory=list)
    names: dict[int, str] = field(default_factory=dict)
    messages: int = 0
    seen: int = 0
    back_to: datetime | None = None
    """Where not all of the period was gone through: as far as it was."""

    @property
    def told(self) -> list[Alert]:
        return [alert for alert in self.alerts if alert.last_told_at is not None]


def replay(
    session: Session, rule: AlertRule, now: datetime, hear: Hear = lambda said, at: None
) -> Replay:
    """The rule's alerts of the last 30 days, as if it had been there; nothing is written.

    Snoozes count for nothing here; maintenance windows do.
    """
    book = complete(session, [rule])
    sightings, extent = READERS[KINDS[rule.kind].source](session, book, rule, now)
    result = Replay(seen=extent.seen, back_to=extent.back_to)
    _play(book, rule, sightings, now, result, hear)
    result.names = read_names(session, result.alerts)
    for alert in result.alerts:
        alert.what = title_of(alert, name_of(alert, result.names))
    result.alerts.sort(key=lambda alert: alert.opened_at, reverse=True)
    return result


def _play(
    book: Rulebook,
    rule: AlertRule,
    sightings: Iterable[Sighting],
    now: datetime,
    result: Replay,
    hear: Hear,
) -> None:
    """Go through the verdicts in time; between them, what had become due was told."""
    latest: dict[int | None, Alert] = {}
    times: list[datetime] = []
    due: list[tuple[datetime, int, int, Alert]] = []

    def tell(alerts: Sequence[Alert], moment: datetime) -> None:
        recent = times[-10:]
        messages = settle(
            rule,
            alerts,
            moment,
            lambda alert: book.hush(rule, alert.workflow_id, moment),
            lambda: recent,
        )
        times.extend(moment for _ in messages)
        for message in messages:
            hear(message, moment)
        for alert in alerts:
            if alert.due_at is not None:
                heapq.heappush(due, (alert.due_at, alert.workflow_id or 0, id(alert), alert))

    def catch_up(moment: datetime) -> None:
        while due and due[0][0] <= moment:
            at = due[0][0]
            ready: dict[int, Alert] = {}
            while due and due[0][0] == at:
                *_, key, alert = heapq.heappop(due)
                if alert.due_at == at:
                    ready[key] = alert
            if ready:
                tell(list(ready.values()), at)

    for sighting in sightings:
        catch_up(sighting.at)
        before = latest.get(sighting.workflow_id)
        is_hushed = book.hush(rule, sighting.workflow_id, sighting.at) is not None
        alert = step(rule, before, sighting.verdict, sighting.workflow_id, sighting.at, is_hushed)
        if alert is None:
            continue
        if alert is not before:
            latest[sighting.workflow_id] = alert
            result.alerts.append(alert)
        tell([alert], sighting.at)
    catch_up(now)
    result.messages = len(times)
