"""An entry of the audit log in words."""

from collections.abc import Mapping
from typing import Any

from app.console.audit_filter import OTHERS
from app.models import AuditEntry
from app.workspaces.audit import ACTIONS, Action

ICONS = {
    "keys": "key-round",
    "members": "users",
    "rules": "bell",
    "channels": "radio",
    "maintenance": "wrench",
    "settings": "settings",
    "exports": "download",
    "sign_ins": "log-in",
    "accounts": "user",
}
"""By kind of action."""


def action_of(entry: AuditEntry) -> Action:
    """One that a later version has written is shown by its name."""
    return ACTIONS.get(entry.what) or Action("", entry.what.replace("_", " "))


def icon_of(entry: AuditEntry) -> str:
    return ICONS.get(action_of(entry).kind, "info")


def name_actor(entry: AuditEntry) -> str:
    return entry.who or OTHERS.get(entry.actor, entry.actor)


def describe(entry: AuditEntry) -> list[tuple[str, str]]:
    """Its details as names and values: `role` and `viewer → admin`."""
    details = entry.details or {}
    return [(_in_words(name), _describe(value)) for name, value in details.items()]


def _in_words(name: str) -> str:
    return name.replace("_", " ")


def _describe(value: Any) -> str:
    if isinstance(value, Mapping):
        if value.keys() == {"was", "is"}:
            return f"{_describe(value['was'])} → {_describe(value['is'])}"
        parts = [f"{_in_words(name)} {_describe(each)}" for name, each in value.items()]
        return ", ".join(parts) or "none"
    if isinstance(value, list):
        return ", ".join(map(_describe, value)) or "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "none" if value is None or value == "" else str(value)
