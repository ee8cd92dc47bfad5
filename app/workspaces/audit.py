"""Notes for the audit log, in the transaction of the change that they tell of."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple, Protocol

from flask import g, has_request_context, request
from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session

from app.address_secrets import mask_addresses
from app.clock import now
from app.disguised_keys import mask_all_keys
from app.keys import mask_keys
from app.models import AuditEntry, Membership, User, Workspace

LONGEST_TEXT = 200
MOST_ITEMS = 20
MOST_ADDRESS, MOST_AGENT, MOST_NAME = 64, 255, 255


class Action(NamedTuple):
    """Something that is noted: its kind, and what the page says between who and about what.

    `days`: how long it is kept; None is for good. `most_an_hour`: of more, which anybody could
    cause, the rest is not noted (in each workspace, and outside of all).
    """

    kind: str
    words: str
    days: int | None = None
    most_an_hour: int | None = None


KINDS = {
    "keys": "API keys",
    "members": "Members",
    "rules": "Alert rules",
    "channels": "Channels",
    "maintenance": "Maintenance",
    "settings": "Settings",
    "exports": "Exports and secrets",
    "sign_ins": "Sign-ins",
    "accounts": "Accounts",
}
"""What the page is filtered by, with its label."""
STRANGERS_DAYS = 90
"""So long is kept what whoever is not signed in can cause."""
ACTIONS = {
    "key_created": Action("keys", "created the API key"),
    "key_rotated": Action("keys", "rotated the API key"),
    "key_revoked": Action("keys", "revoked the API key"),
    "member_added": Action("members", "added the member"),
    "member_invited": Action("members", "invited"),
    "invitation_called_back": Action("members", "called back the invitation of"),
    "member_role_changed": Action("members", "changed the role of"),
    "member_removed": Action("members", "removed the member"),
    "rule_created": Action("rules", "created the rule"),
    "rule_changed": Action("rules", "changed the rule"),
    "rule_switched_on": Action("rules", "switched on the rule"),
    "rule_switched_off": Action("rules", "switched off the rule"),
    "rule_snoozed": Action("rules", "snoozed the rule"),
    "rule_woken": Action("rules", "ended the snooze of the rule"),
    "rule_deleted": Action("rules", "deleted the rule"),
    "channel_created": Action("channels", "created the channel"),
    "channel_changed": Action("channels", "changed the channel"),
    "channel_secret_renewed": Action("channels", "renewed the secret of the channel"),
    "channel_tested": Action("channels", "sent a test to the channel"),
    "channel_switched_on": Action("channels", "switched on the channel"),
    "channel_switched_off": Action("channels", "switched off the channel"),
    "channel_deleted": Action("channels", "deleted the channel"),
    "window_created": Action("maintenance", "planned the maintenance window"),
    "window_deleted": Action("maintenance", "deleted the maintenance window"),
    "workspace_created": Action("settings", "created the workspace"),
    "workspace_renamed": Action("settings", "renamed the workspace"),
    "retention_changed": Action("settings", "changed how long things are kept"),
    "workspace_deleted": Action("settings", "deleted the workspace"),
    "workspace_imported": Action("settings", "brought in the workspace"),
    "workflows_imported": Action("settings", "brought workflows along from"),
    "demo_made": Action("settings", "made the demo data"),
    "demo_removed": Action("settings", "removed the demo data"),
    "moved": Action("settings", "moved the server to PostgreSQL from"),
    "backup_restored": Action("settings", "put the server back to the backup"),
    "backup_made": Action("exports", "made the backup"),
    "audit_exported": Action("exports", "exported the audit log"),
    "workspace_exported": Action("exports", "exported the workspace"),
    "list_exported": Action("exports", "exported the list of"),
    "event_downloaded": Action("exports", "downloaded a part of"),
    "run_downloaded": Action("exports", "downloaded the texts of"),
    "secrets_revealed": Action("exports", "looked at the masked values of"),
    "signed_in": Action("sign_ins", "signed in"),
    "sign_in_refused": Action("sign_ins", "was refused at the sign-in of", STRANGERS_DAYS, 300),
    "signed_out": Action("sign_ins", "signed out"),
    "sessions_ended": Action("sign_ins", "ended other sessions"),
    "password_confirmed": Action("sign_ins", "confirmed the password"),
    "password_refused": Action("sign_ins", "gave a wrong password", STRANGERS_DAYS, 300),
    "profile_changed": Action("accounts", "changed the profile"),
    "email_changed": Action("accounts", "changed the e-mail address"),
    "password_changed": Action("accounts", "changed the password"),
    "provider_linked": Action("accounts", "linked the account to the sign-in provider"),
    "person_deleted": Action("accounts", "deleted the account"),
    "two_factor_on": Action("accounts", "switched on two-factor sign-in"),
    "two_factor_off": Action("accounts", "switched off two-factor sign-in"),
    "recovery_codes_made": Action("accounts", "made new recovery codes"),
    "recovery_code_used": Action("accounts", "used a recovery code"),
}
"""All that is noted. A name that was once written stays in the table for good: none is renamed."""


class Thing(Protocol):
    """What an entry is about."""

    public_id: Any
    name: Any


def note(
    session: Session,
    what: str,
    workspace_id: int | None,
    about: Thing | str | None = None,
    details: Mapping[str, object] | None = None,
    *,
    who: User | None = None,
) -> None:
    """Have the change and its entry committed together, or neither: call it inside `writing()`.

    Who does it is the person who is signed in, or the command line; `who` is for a request whose
    person isn't signed in yet. Details that are None are left out; `{"was": …, "is": …}` tells of
    a change. Never give it a secret. Raises KeyError for what is not in ACTIONS, and whatever the
    changes that wait in the session raise as they are sent to the database.
    """
    action = ACTIONS[what]
    session.flush()  # What is about to be made has its id only then.
    most = action.most_an_hour
    if not (most and _find_full(session, what, [workspace_id], most)):
        session.add(_make_entry(what, workspace_id, about, details, who))


def note_evenly(
    session: Session,
    what: str,
    workspace_ids: Sequence[int | None],
    about: User | str,
    details: Mapping[str, object],
) -> bool:
    """The same for what strangers cause in the logs of several workspaces, or of none: a statement
    that reads and one that writes, however many there are. False where all of them are full, and
    nothing was written."""
    full = _find_full(session, what, workspace_ids, ACTIONS[what].most_an_hour or 0)
    entries = [
        _make_entry(what, each, about, details, None) for each in workspace_ids if each not in full
    ]
    session.add_all(entries)
    session.flush()
    return bool(entries)


def note_account(
    session: Session,
    what: str,
    user: User,
    details: Mapping[str, object] | None = None,
    *,
    who: User | None = None,
) -> None:
    """What happens to an account stands in the log of each workspace that the person is in; without
    any, where the server's owner sees it. `who` as for `note`: whoever gave a wrong password is
    nobody."""
    own = select(Membership.workspace_id).where(Membership.user_id == user.id)
    workspaces: list[int | None] = [*session.scalars(own.order_by(Membership.id))]
    for workspace_id in workspaces or [None]:
        note(session, what, workspace_id, user, details, who=who)


def note_server(session: Session, what: str, about: str, details: Mapping[str, object]) -> None:
    """What happens to the whole database stands in each workspace's log or, where there is none,
    where the server's owner sees it."""
    own = select(Workspace.id).order_by(Workspace.id)
    workspaces: list[int | None] = [*session.scalars(own)]
    for workspace_id in workspaces or [None]:
        note(session, what, workspace_id, about, details)


def change(was: object, is_: object) -> dict[str, object] | None:
    """For a note's details: what it was and what it is, or nothing where that is the same."""
    return None if was == is_ else {"was": was, "is": is_}


def _tell_who(who: User | None) -> dict[str, str | None]:
    """The loader is not asked: it may write, and a transaction is under way."""
    if not has_request_context():
        return {"actor": "command line"}
    person = who or g.get("_login_user")
    if not isinstance(person, User):
        return {"actor": "nobody"}
    return {"actor": "person", "who": person.email, "who_id": person.public_id}


def _tell_where() -> dict[str, str | None]:
    """Behind proxies, as those tell that FLOWPULSE_TRUSTED_PROXIES has believed."""
    if not has_request_context():
        return {}
    agent = mask_all_keys(request.user_agent.string)[:MOST_AGENT].replace("\0", "")
    address = (request.remote_addr or "")[:MOST_ADDRESS]
    return {"remote_addr": address or None, "user_agent": agent or None}


def _tell_about(about: Thing | User | str | None) -> dict[str, str | None]:
    if about is None:
        return {}
    if isinstance(about, str):
        return {"about": _cut(about, MOST_NAME)}
    name = about.email if isinstance(about, User) else about.name
    return {"about": _cut(str(name), MOST_NAME), "about_id": about.public_id}


def _make_small(details: Mapping[str, object]) -> dict[str, object]:
    return {name: _shorten(value) for name, value in details.items() if value is not None}


def _shorten(value: object) -> object:
    """As JSON has it: texts and lists cut, keys starred out, all else as text."""
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, datetime):
        return f"{value.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
    if isinstance(value, Mapping):
        return {str(name): _shorten(each) for name, each in list(value.items())[:MOST_ITEMS]}
    if isinstance(value, list | tuple | set | frozenset):
        return [_shorten(each) for each in list(value)[:MOST_ITEMS]]
    return _cut(str(value), LONGEST_TEXT)


def _cut(text: str, most: int) -> str:
    text = mask_addresses(mask_keys(text)).replace("\0", "")
    return text if len(text) <= most else text[: most - 1] + "…"


def _make_entry(
    what: str,
    workspace_id: int | None,
    about: Thing | User | str | None,
    details: Mapping[str, object] | None,
    who: User | None,
) -> AuditEntry:
    days = ACTIONS[what].days
    return AuditEntry(
        workspace_id=workspace_id,
        what=what,
        details=_make_small(details or {}) or None,
        keep_until=now() + timedelta(days=days) if days else None,
        **_tell_who(who),
        **_tell_where(),
        **_tell_about(about),
    )


def _find_full(
    session: Session, what: str, workspace_ids: Sequence[int | None], most: int
) -> set[int | None]:
    """In whose logs so many of them stand from the last hour; None is of no workspace."""
    own: ColumnElement[bool] = AuditEntry.workspace_id.in_(
        [each for each in workspace_ids if each is not None]
    )
    if None in workspace_ids:
        own = own | AuditEntry.workspace_id.is_(None)
    lately = AuditEntry.at > now() - timedelta(hours=1)
    counted = select(AuditEntry.workspace_id).where(AuditEntry.what == what, lately, own)
    counted = counted.group_by(AuditEntry.workspace_id).having(func.count() >= most)
    return set(session.scalars(counted))
