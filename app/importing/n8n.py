"""Workflows of n8n: from its API, `GET /api/v1/workflows`, or from `n8n export:workflow`.

https://docs.n8n.io/api/
"""

import hashlib
import re
from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Any

from app.importing.documents import list_items, make_whole, text_of
from app.importing.n8n_triggers import Pace, read_paces
from app.importing.plans import Plan, clean_plan
from app.timetable import UnreadableError
from app.workspaces.profile import is_time_zone
from app.workspaces.schedules import Wish

USUAL_ZONE = "America/New_York"
"""n8n's own zone, where GENERIC_TIMEZONE names no other."""
EXPECTED = 'the JSON of GET /api/v1/workflows, {"data": […]}, or a file of n8n export:workflow'
MOST_PACES = 100
"""So many schedules of one workflow are looked at, of which it can have one here."""
_ID = re.compile(r"[0-9A-Za-z_-]{1,80}", re.ASCII)
_OWN_ZONE = "DEFAULT"


def read_workflows(document: Any, zone: str, grace_seconds: int) -> list[Plan]:
    """What would become of each; `zone` is the server's, for those that name none.

    Raises RefusedError for what is no such list.
    """
    if isinstance(document, dict) and "nodes" in document:
        document = [document]
    items = list_items(document, "data", EXPECTED)
    return [_read_workflow(each, zone, grace_seconds) for each in items]


def has_more_pages(document: Any) -> bool:
    """Whether the API's answer is only a part of the list."""
    return isinstance(document, dict) and bool(document.get("nextCursor"))


def _read_workflow(workflow: Mapping[str, Any], zone: str, grace_seconds: int) -> Plan:
    name = text_of(workflow, "name")
    wish, notes = _read_wish(workflow, zone, grace_seconds)
    plan = Plan(_name_source(workflow, name), name, wish=wish, notes=tuple(notes))
    if workflow.get("isArchived") is True:
        plan = Plan(plan.source, name, left_out="It is archived there.")
    return clean_plan(plan, _read_tags(workflow.get("tags")))


def _name_source(workflow: Mapping[str, Any], name: str) -> str:
    """By its id there; a file that was downloaded in the editor may have none."""
    given = workflow.get("id")
    text = str(given) if isinstance(given, str | int) and not isinstance(given, bool) else ""
    if _ID.fullmatch(text):
        return f"n8n:{text}"
    return f"n8n:name:{hashlib.sha256(name.encode('utf-8', 'replace')).hexdigest()[:32]}"


def _read_tags(tags: Any) -> list[str]:
    """`[{"id": …, "name": …}]`, or plain texts."""
    found = tags if isinstance(tags, list) else []
    names = (text_of(each, "name") if isinstance(each, dict) else each for each in found)
    texts = (make_whole(name) for name in names if isinstance(name, str))
    return [text.replace(",", " ") for text in texts if text.strip()]


def _read_wish(
    workflow: Mapping[str, Any], zone: str, grace_seconds: int
) -> tuple[Wish | None, list[str]]:
    """Its schedule, and what of it is not carried over."""
    nodes = workflow.get("nodes")
    live: Sequence[Mapping[str, Any]] = [
        each
        for each in (nodes if isinstance(nodes, list) else [])
        if isinstance(each, dict) and each.get("disabled") is not True
    ]
    try:
        paces = list(dict.fromkeys(islice(read_paces(live), MOST_PACES)))
    except UnreadableError as error:
        return None, [f"Its schedule: {error}"]
    if not paces:
        return None, ["No schedule: nothing in it starts it by the clock."]
    if workflow.get("active") is not True:
        return None, ["Its schedule: it is not active there. Set one here once it is."]
    if len(paces) > 1:
        return None, [f"Its schedule: it has {len(paces)}; a workflow has one here."]
    return _as_wish(paces[0], workflow, zone, grace_seconds)


def _as_wish(
    pace: Pace, workflow: Mapping[str, Any], zone: str, grace_seconds: int
) -> tuple[Wish | None, list[str]]:
    settings, notes = workflow.get("settings"), []
    own = text_of(settings, "timezone") if isinstance(settings, dict) else ""
    if own and own != _OWN_ZONE:
        if not is_time_zone(own):
            return None, [f"Its schedule: the time zone {own[:60]!r} is not known here."]
        zone = own
    elif pace.expression:
        notes.append(f"Its time zone is the server's: taken for {zone} (--time-zone says which).")
    kind = "cron" if pace.expression else "interval"
    return Wish(kind, pace.every_seconds, pace.expression, zone, grace_seconds), notes
