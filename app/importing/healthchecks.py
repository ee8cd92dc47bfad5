"""Checks of Healthchecks, as its Management API lists them: `GET /api/v3/checks/`.

https://healthchecks.io/docs/api/
"""

import hashlib
import re
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from app.importing.documents import list_items, number_of, text_of
from app.importing.plans import Plan, clean_plan
from app.models import EXPRESSION_LENGTH
from app.timetable import MOST_GRACE, MOST_SECONDS, UNITS, UnreadableError, read_expression
from app.workspaces.profile import is_time_zone
from app.workspaces.schedules import LEAST_SECONDS, Wish

PATH = "/api/v3/checks/"
KEY_HEADER = "X-Api-Key"
EXPECTED = 'the JSON of GET /api/v3/checks/, {"checks": […]}'
_MINUTE = UNITS["minute"]
_NOT_CARRIED = {
    "desc": "Its description: workflows have none here.",
    "filter_subject": "Its filters of subjects: mail to a check is not taken here.",
    "filter_body": "Its filters of mails: mail to a check is not taken here.",
    "filter_http_body": "Its keywords in the body: here the address says how a run went.",
    "manual_resume": "Its manual resume: here a run is watched as soon as it has a schedule.",
}
"""Members that are set, and why they are not carried over."""
_UNIQUE_KEY = re.compile(r"[0-9a-fA-F]{1,60}", re.ASCII)
_NO_ID = "It has neither a uuid nor a unique_key of hexadecimal digits, as Healthchecks writes it."


def read_checks(document: Any) -> list[Plan]:
    """What would become of each check. Raises RefusedError for what is no such list."""
    return [_read_check(each) for each in list_items(document, "checks", EXPECTED)]


def _read_check(check: Mapping[str, Any]) -> Plan:
    uuid = _read_uuid(text_of(check, "uuid"))
    notes = [reason for name, reason in _NOT_CARRIED.items() if check.get(name)]
    if check.get("methods") == "POST":
        notes.append("Its limit to POST: here GET and HEAD count as well.")
    if uuid is None:
        notes.append("Its old address: a read-only API key lists none. Use one that may write.")
    wish, why_not = _read_wish(check)
    source = _name_source(uuid, check)
    number = str(uuid)[:8] if uuid else source[-8:]
    name = text_of(check, "name") or text_of(check, "slug") or f"Check {number}"
    plan = Plan(
        source=source,
        name=name,
        slug=text_of(check, "slug"),
        wish=wish,
        secret=str(uuid) if uuid else None,
        notes=(*notes, *why_not),
        left_out="" if source else _NO_ID,
    )
    return clean_plan(plan, text_of(check, "tags").split())


def _read_uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


def _name_source(uuid: UUID | None, check: Mapping[str, Any]) -> str:
    """The same whether the list came with a read-only key, which gives a `unique_key`, or not: that
    is the SHA-1 of the first half of the UUID's digits."""
    key = text_of(check, "unique_key")
    if uuid is not None:
        key = hashlib.sha1(uuid.hex[:16].encode(), usedforsecurity=False).hexdigest()
    return f"healthchecks:{key}" if _UNIQUE_KEY.fullmatch(key) else ""


def _read_wish(check: Mapping[str, Any]) -> tuple[Wish | None, list[str]]:
    """Its schedule, and what of it is not carried over."""
    if check.get("status") == "paused":
        return None, ["Its schedule: it is paused there. Set one here when it runs again."]
    notes: list[str] = []
    grace = _read_grace(check, notes)
    timeout = number_of(check, "timeout")
    if timeout is not None:
        every = -(-max(timeout, LEAST_SECONDS) // _MINUTE) * _MINUTE
        if every > MOST_SECONDS:
            return None, ["Its schedule: a year is the longest here."]
        if every != timeout:
            notes.append(f"Its period of {timeout} s, in whole minutes here: {every} s.")
        zone = text_of(check, "tz")
        zone = zone if is_time_zone(zone) else "UTC"
        return Wish("interval", every, None, zone, grace), notes
    try:
        return _read_cron(check, grace), notes
    except UnreadableError as error:
        return None, [f"Its schedule: {error}"]


def _read_cron(check: Mapping[str, Any], grace: int) -> Wish:
    text, zone = text_of(check, "schedule"), text_of(check, "tz") or "UTC"
    if not text:
        raise UnreadableError("It has none.")
    if len(text) > EXPRESSION_LENGTH or "\n" in text.strip() or len(text.split()) != 5:
        raise UnreadableError(f"{text[:60]!r} is no cron expression; OnCalendar is not read here.")
    if not is_time_zone(zone):
        raise UnreadableError(f"The time zone {zone[:60]!r} is not known here.")
    return Wish("cron", None, read_expression(text), zone, grace)


def _read_grace(check: Mapping[str, Any], notes: list[str]) -> int:
    given = number_of(check, "grace")
    wanted = 3_600 if given is None else given
    grace = min(-(-max(wanted, LEAST_SECONDS) // _MINUTE) * _MINUTE, MOST_GRACE)
    if grace != wanted:
        notes.append(f"Its grace time of {wanted} s is {grace} s here.")
    return grace
