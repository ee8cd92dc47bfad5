"""Problems as the rows of a file: all groups that the page shows, on all of its pages."""

from collections.abc import Iterator
from typing import Any

from app.console.event_rows import mask
from app.console.open_problems import (
    WINDOWS,
    ProblemLine,
    Scope,
    describe,
    find_codes,
    list_groups,
)
from app.console.problem_groups import ProblemFilter, choose
from app.console.problem_titles import message_of, title_of, workflow_of
from app.extensions import db

READ_AT_ONCE = 50
COLUMNS = (
    "fingerprint",
    "code",
    "http_status",
    "title",
    "message",
    "workflow",
    "platform",
    "api_key_name",
    "requests",
    "requests_24h",
    "first_seen_at",
    "last_seen_at",
    "last_event_id",
    "ignored_at",
    "ignored_by",
)
"""Of the file, in this order."""


def read_rows(
    scope: Scope, workspace_id: int, wanted: ProblemFilter
) -> Iterator[list[dict[str, Any]]]:
    """The groups, last seen first, in batches; there are no more than `MAX_GROUPS`."""
    groups = list_groups(scope, workspace_id)
    _, chosen = choose(groups, find_codes(groups), wanted.filters)
    window = WINDOWS[wanted.filters.window]
    for start in range(0, len(chosen), READ_AT_ONCE):
        lines = describe(chosen[start : start + READ_AT_ONCE], scope, window)
        rows = [_describe(line) for line in lines]
        db.session.rollback()
        yield rows


def _describe(line: ProblemLine) -> dict[str, Any]:
    """By COLUMNS, with secrets hidden as on the page."""
    group, newest = line.group, line.newest
    ignored = group.ignored
    return {
        "fingerprint": group.fingerprint,
        "code": newest.code,
        "http_status": newest.status,
        "title": mask(title_of(newest)),
        "message": mask(message_of(newest)) or None,
        "workflow": mask(workflow_of(newest)),
        "platform": mask(newest.platform),
        "api_key_name": newest.api_key and newest.api_key.name,
        "requests": group.count,
        "requests_24h": group.recent,
        "first_seen_at": line.first_at,
        "last_seen_at": newest.received_at,
        "last_event_id": newest.public_id,
        "ignored_at": ignored and ignored.ignored_at,
        "ignored_by": ignored and ignored.ignored_by and ignored.ignored_by.email,
    }
