"""Several events of one execution as one run, whatever the order in which they come."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from app.models import OTHER_STARTS, RUNNING

_MOST_STARTS = 5
"""Of starts that are told for one execution; any more is a sender's mistake."""
KEPT = ("source_platform", "source_workflow_id", "correlation_id", "metadata")
"""What a later event may leave out: the run keeps what an earlier one said."""
DECIDED = (
    "outcome",
    "error_type",
    "error_message",
    "error_group",
    "ended_at",
    "duration_ms",
    "decided_by_event_id",
)
"""What belongs together: all of it comes from the event that decides."""

_NOT_YET = datetime.min.replace(tzinfo=UTC)
"""The end of what has only started, as a rank: any end decides over it."""

Rank = tuple[datetime, bool, int]
"""Which of two events decides, the greater one: its end, whether it failed, its id."""


def merge(run: Mapping[str, Any], told: Mapping[str, Any]) -> dict[str, Any]:
    """The run after one more event: the later end decides, a failure where both end at once.

    What the deciding event leaves out is kept from the next one that says it, so that the order in
    which the events arrive makes no difference.
    """
    winner, loser = (told, run) if _rank(told) > _rank(run) else (run, told)
    merged = {**run, **{name: winner[name] for name in DECIDED}}
    kept_from: dict[str, Any] = {}
    for name in KEPT:
        rank, merged[name] = max(_telling(run, name), _telling(told, name), key=_rank_of_telling)
        _keep(kept_from, name, merged[name], rank, winner)
    _settle_start(merged, [run, told], winner, kept_from)
    _settle_duration(merged, winner, kept_from)
    _settle_stuck(merged, run)
    merged["kept_from"] = kept_from or None
    merged["event_count"] = run["event_count"] + 1
    merged["updated_at"] = told["updated_at"]
    merged["previous_outcome"] = run["previous_outcome"]
    if loser["outcome"] == RUNNING:
        return merged
    if winner["outcome"] != loser["outcome"]:
        merged["previous_outcome"] = loser["outcome"]
    elif merged["previous_outcome"] == winner["outcome"]:
        merged["previous_outcome"] = None
    return merged


def _keep(
    kept_from: dict[str, Any], name: str, value: Any, rank: Rank, winner: Mapping[str, Any]
) -> None:
    if value is not None and rank != _rank(winner):
        kept_from[name] = [rank[0].isoformat(), *rank[1:]]


def _settle_start(
    merged: dict[str, Any],
    tellers: Sequence[Mapping[str, Any]],
    winner: Mapping[str, Any],
    kept_from: dict[str, Any],
) -> None:
    """A run begins no later than it ends: of several starts, the last told that can be its own.

    The others are kept, since a later end may be told.
    """
    told = sorted({start for each in tellers for start in _list_starts(each)}, reverse=True)
    ended_at = merged["ended_at"]
    fitting = [(rank, at) for rank, at in told if ended_at is None or at <= ended_at]
    rank, merged["started_at"] = fitting[0] if fitting else (_rank(winner), None)
    _keep(kept_from, "started_at", merged["started_at"], rank, winner)
    others = {
        at: event_id
        for (told_end, _, event_id), at in reversed(told)
        if told_end == _NOT_YET and at != merged["started_at"]
    }
    if others:
        latest = sorted(others.items(), key=lambda item: item[1])[-_MOST_STARTS:]
        kept_from[OTHER_STARTS] = [[event_id, at.isoformat()] for at, event_id in latest]


def _list_starts(columns: Mapping[str, Any]) -> list[tuple[Rank, datetime]]:
    """The run's start and the others that were told, with the ranks of the events that told them;
    those that only told a start, of the others."""
    others = (columns["kept_from"] or {}).get(OTHER_STARTS, ())
    starts = [((_NOT_YET, False, event_id), datetime.fromisoformat(at)) for event_id, at in others]
    rank, started_at = _telling(columns, "started_at")
    return starts if started_at is None else [*starts, (rank, started_at)]


def _settle_duration(
    merged: dict[str, Any], winner: Mapping[str, Any], kept_from: dict[str, Any]
) -> None:
    """Where the deciding event gave none: from its end, and the start that another event told.

    `kept_from` remembers that it was worked out, and with which start.
    """
    if "duration_ms" in (winner["kept_from"] or {}):
        merged["duration_ms"] = None
    started_at, ended_at = merged["started_at"], merged["ended_at"]
    if merged["duration_ms"] is None and ended_at and started_at:
        merged["duration_ms"] = (ended_at - started_at) / timedelta(milliseconds=1)
        if "started_at" in kept_from:
            kept_from["duration_ms"] = kept_from["started_at"]


def _settle_stuck(merged: dict[str, Any], run: Mapping[str, Any]) -> None:
    """It was not stuck if it turns out to have ended before, or to have started at another time."""
    since, ended_at = run["stuck_since"], merged["ended_at"]
    restarted = ended_at is None and merged["started_at"] != run["started_at"]
    if since is not None and (restarted or (ended_at is not None and ended_at <= since)):
        merged["stuck_since"] = None


def _rank(columns: Mapping[str, Any]) -> Rank:
    return (
        columns["ended_at"] or _NOT_YET,
        columns["outcome"] == "failure",
        columns["decided_by_event_id"],
    )


def _telling(columns: Mapping[str, Any], name: str) -> tuple[Rank, Any]:
    """A field's value, with the rank of the event that gave it."""
    kept = (columns["kept_from"] or {}).get(name)
    if kept is None:
        return _rank(columns), columns[name]
    ended_at, failed, event_id = kept
    return (datetime.fromisoformat(ended_at), failed, event_id), columns[name]


def _rank_of_telling(telling: tuple[Rank, Any]) -> tuple[bool, Rank]:
    rank, value = telling
    return value is not None, rank
