"""What /metrics tells: one function a group of metrics, each from few rows, whatever was stored."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import timedelta

from flask import current_app
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from sqlalchemy import func, select

from app.clock import now
from app.console.last_runs import LastRuns
from app.console.rollup_sums import count_workflows, merge_durations
from app.doctor.backup_health import find_last_backup
from app.doctor.database_disk import examine_disk
from app.doctor.places import data_folder
from app.extensions import db
from app.models import (
    Alert,
    Channel,
    Delivery,
    Event,
    Tally,
    WorkerHeartbeat,
    Workflow,
    Workspace,
    of_state,
)
from app.processing.disk_space import look_at
from app.processing.inbox import waiting_since
from app.sketches import percentiles
from app.tallies import ACCEPTED, DELIVERY, MAIL, REJECTED

MOST_WORKFLOWS = 1_000
"""The rest are left out: each has nine series."""
MOST_COUNTED = 100_000
"""Of what waits, no more is counted."""
LAST_DAY = timedelta(hours=24)
SHARES = (0.5, 0.95, 0.99)
OF_WORKFLOW = ("workspace", "workflow", "workflow_id")


def list_families() -> list[Metric]:
    return [family for read in FAMILIES for family in read()]


def _read_build() -> Iterator[Metric]:
    labels = {"version": current_app.config["FLOWPULSE_VERSION"], "database": db.engine.name}
    yield _gauge("build_info", "The version that runs; always 1.", [(labels, 1)])


def _read_requests() -> Iterator[Metric]:
    query = select(Tally.what, Tally.about, Tally.count).where(Tally.what != DELIVERY)
    tallies = {(what, about): count for what, about, count in db.session.execute(query)}
    accepted = tallies.get((ACCEPTED, ""), 0)
    yield _counter("requests_accepted", "Events that were accepted (202).", [({}, accepted)])
    rejected = [({"code": about}, n) for (what, about), n in tallies.items() if what == REJECTED]
    yield _counter("requests_rejected", "Requests that were refused, by code.", rejected)


def _read_queue() -> Iterator[Metric]:
    since = waiting_since(db.session())
    lag = max((now() - since).total_seconds(), 0.0) if since else 0.0
    yield _gauge("queue_lag_seconds", "How long the event that is due first has waited.", lag)
    for state, name, text in (
        ("accepted", "queue_events", "Events that wait for the worker"),
        ("failed", "queue_failed_events", "Events that the worker has given up"),
    ):
        some = select(Event.state).where(of_state(state)).limit(MOST_COUNTED).subquery()
        count = db.session.scalar(select(func.count()).select_from(some)) or 0
        yield _gauge(name, f"{text}; {MOST_COUNTED} at most.", count)


def _read_workers() -> Iterator[Metric]:
    beats = db.session.scalars(select(WorkerHeartbeat.seen_at)).all()
    age = max((now() - max(beats)).total_seconds(), 0.0) if beats else float("nan")
    text = "Since a worker was last seen; NaN where none is there."
    yield _gauge("worker_heartbeat_age_seconds", text, age)


def _read_disk() -> Iterator[Metric]:
    disk = examine_disk() or look_at(data_folder())
    text = "Free on the database's disk, or on the data folder's where that is not known."
    yield _gauge("disk_free_bytes", text, disk.free)
    yield _gauge("disk_size_bytes", "Size of that disk.", disk.total)


def _read_workflows() -> Iterator[Metric]:
    """The oldest MOST_WORKFLOWS that are not archived; names are not unique over all workspaces."""
    active = Workflow.archived_at.is_(None)
    total = db.session.scalar(select(func.count()).select_from(Workflow).where(active)) or 0
    yield _gauge("workflows", "Workflows that are not archived.", total)
    columns = Workflow.id, Workspace.name, Workflow.name, Workflow.public_id
    query = select(*columns).join(Workspace, Workspace.id == Workflow.workspace_id).where(active)
    rows = db.session.execute(query.order_by(Workflow.id).limit(MOST_WORKFLOWS))
    labels = {row[0]: dict(zip(OF_WORKFLOW, row[1:], strict=True)) for row in rows}
    yield from _tell_runs(labels)
    yield from _tell_last(labels)


def _tell_runs(labels: Mapping[int, dict[str, str]]) -> Iterator[Metric]:
    end = now()
    counts = count_workflows(labels, end - LAST_DAY, end)
    runs = [
        ({**labels[each], "outcome": outcome}, number)
        for each, found in counts.items()
        for outcome, number in (("success", found.successes), ("failure", found.failures))
    ]
    yield _gauge("workflow_runs_24h", "Runs that ended within the last 24 hours.", runs)
    durations = [
        ({**labels[each], "quantile": str(share)}, milliseconds / 1000)
        for each, sketch in merge_durations(labels, end - LAST_DAY, end).items()
        for share, milliseconds in zip(SHARES, percentiles(sketch, SHARES), strict=True)
        if milliseconds is not None
    ]
    text = "How long runs of the last 24 hours took, within 4 %."
    yield _summary("workflow_duration_seconds", text, durations)


def _tell_last(labels: Mapping[int, dict[str, str]]) -> Iterator[Metric]:
    runs = LastRuns(list(labels), now())
    last = {each: found for each in labels if (found := runs.last(each))}
    ends = [(labels[each], found.ended_at.timestamp()) for each, found in last.items()]
    text = "When the last run ended, as its sender says."
    yield _gauge("workflow_last_run_timestamp_seconds", text, ends)
    good = [(labels[each], found.outcome == "success") for each, found in last.items()]
    yield _gauge("workflow_last_run_success", "1 where the last run succeeded, else 0.", good)


def _read_deliveries() -> Iterator[Metric]:
    columns = Channel.id, Workspace.name, Channel.name, Channel.public_id, Channel.kind
    query = select(*columns).join(Workspace, Workspace.id == Channel.workspace_id)
    names = ("workspace", "channel", "channel_id", "kind")
    known = {
        str(row[0]): dict(zip(names, row[1:], strict=True)) for row in db.session.execute(query)
    }
    known[MAIL] = dict.fromkeys(names, "") | {"kind": "mail"}
    tallies = select(Tally.about, Tally.count).where(Tally.what == DELIVERY)
    ended = [
        ({**known[channel], "outcome": outcome}, count)
        for about, count in db.session.execute(tallies)
        for channel, _, outcome in [about.partition(" ")]
        if channel in known
    ]
    text = "Messages, by channel, and whether they were delivered, given_up, or failed with it."
    yield _counter("deliveries", text, ended)
    waiting = select(Delivery.id).where(Delivery.state == "waiting")
    some = waiting.limit(MOST_COUNTED).subquery()
    count = db.session.scalar(select(func.count()).select_from(some)) or 0
    yield _gauge("deliveries_waiting", "Messages that are yet to be sent, or tried again.", count)


def _read_alerts() -> Iterator[Metric]:
    query = select(Alert.kind, func.count()).where(Alert.ended_at.is_(None)).group_by(Alert.kind)
    counts = [({"kind": kind}, count) for kind, count in db.session.execute(query)]
    yield _gauge("alerts_open", "Alerts that last, by kind.", counts)


def _read_backups() -> Iterator[Metric]:
    made_at = find_last_backup()
    text = "When the last backup was made; 0 where none is known."
    yield _gauge("backup_last_timestamp_seconds", text, made_at.timestamp() if made_at else 0)


FAMILIES: tuple[Callable[[], Iterator[Metric]], ...] = (
    _read_build,
    _read_requests,
    _read_queue,
    _read_workers,
    _read_disk,
    _read_workflows,
    _read_deliveries,
    _read_alerts,
    _read_backups,
)

Values = float | Iterable[tuple[Mapping[str, str], float]]
"""One value, or one for each set of labels."""


def _gauge(name: str, text: str, values: Values) -> Metric:
    return _fill(GaugeMetricFamily(f"flowpulse_{name}", text), "", values)


def _summary(name: str, text: str, values: Values) -> Metric:
    """Quantiles alone: the sums that may stand beside them would be of 24 hours, and fall."""
    return _fill(Metric(f"flowpulse_{name}", text, "summary"), "", values)


def _counter(name: str, text: str, values: Values) -> Metric:
    return _fill(CounterMetricFamily(f"flowpulse_{name}", text), "_total", values)


def _fill(family: Metric, ending: str, values: Values) -> Metric:
    for labels, value in [({}, values)] if isinstance(values, int | float) else values:
        family.add_sample(f"{family.name}{ending}", dict(labels), float(value))
    return family
