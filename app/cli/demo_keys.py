"""The demo's API keys: one that was rotated and later revoked, and the one in its place."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from flask import current_app

from app.cli.demo_marks import demo_id
from app.extensions import writing
from app.ingest.records import KnownKey, NewEvent
from app.keys import PREFIX_LENGTH, hash_key, make_key
from app.models import SCOPES, ApiKey, KeyUsage
from app.workspaces.audit import note

NAME = "Automations (demo)"
ROTATED, MOVED, REVOKED, EXPIRED = (timedelta(days=days) for days in (9, 7, 5, 2))
"""How long ago the key was rotated, the last sender changed over, and the old key ended."""
LATE = "zapier"
"""The platform that went on with the old key for a while."""


@dataclass(frozen=True, slots=True)
class DemoKeys:
    """The keys as they are sent, whose secrets nobody keeps, and their rows."""

    old: str
    new: str
    known: dict[str, KnownKey]
    until: datetime

    def used_at(self, moment: datetime, platform: str) -> str:
        """The key that this platform sent then."""
        changed = MOVED if platform == LATE else ROTATED
        return self.old if moment < self.until - changed else self.new


def make_keys(
    workspace_id: int, workflow_ids: Collection[int], until: datetime, days: int
) -> DemoKeys:
    """Both are limited to the demo's workflows."""
    old_text, new_text = make_key(), make_key()
    common = {"workspace_id": workspace_id, "workflow_ids": sorted(workflow_ids)}
    old = ApiKey(
        name=f"{NAME} (old)",
        created_at=until - timedelta(days=days),
        expires_at=until - EXPIRED,
        revoked_at=until - REVOKED,
        **common,
        **_kept_of(old_text),
    )
    new = ApiKey(name=NAME, created_at=until - ROTATED, **common, **_kept_of(new_text))
    with writing() as session:
        session.add(old)
        session.flush()
        new.replaces_id = old.id
        session.add(new)
        note(session, "demo_made", workspace_id, None, {"keys": [old.name, new.name]})
        session.flush()
        known = {text: _know(key) for text, key in ((old_text, old), (new_text, new))}
    return DemoKeys(old_text, new_text, known, until)


def _kept_of(text: str) -> dict[str, str]:
    secret: bytes = current_app.config["FLOWPULSE_KEY_SECRET"]
    return {
        "public_id": demo_id(),
        "prefix": text[:PREFIX_LENGTH],
        "key_hash": hash_key(text, secret),
        "scopes": " ".join(SCOPES),
    }


def _know(key: ApiKey) -> KnownKey:
    return KnownKey(
        key.id, key.workspace_id, key.name, key.scopes, key.expires_at, key.revoked_at, None
    )


def store_usage(keys: DemoKeys, events: Iterable[NewEvent]) -> None:
    """What the ingest service would have counted of these."""
    rows: dict[tuple[object, ...], KeyUsage] = {}
    rotated_at = keys.until - ROTATED
    for event in events:
        if event.api_key_id is None or event.code == "revoked_api_key":
            continue
        at = event.received_at
        sender = (event.api_key_id, at.date(), event.remote_addr or "", event.user_agent or "")
        row = rows.get(sender)
        if row is None:
            names = ("api_key_id", "day", "remote_addr", "user_agent")
            row = rows[sender] = KeyUsage(
                **dict(zip(names, sender, strict=True)), count=0, rotated_count=0, hours=0
            )
        row.count += 1
        row.rotated_count += at < rotated_at and event.api_key_id == keys.known[keys.old].id
        row.last_at = at
        row.hours |= 1 << at.hour
    with writing() as session:
        session.add_all(rows.values())
        for known in keys.known.values():
            last = max(
                (row.last_at for row in rows.values() if row.api_key_id == known.id), default=None
            )
            session.get_one(ApiKey, known.id).last_used_at = last
