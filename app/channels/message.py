"""A message: what is told, in plain text, before any channel gives it a form."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal, get_args

MessageKind = Literal["alert", "reminder", "recovery", "digest", "resolve", "notice", "test"]
"""`resolve`: an end that nobody is told of; it only closes incidents."""
MESSAGE_KINDS: tuple[str, ...] = get_args(MessageKind)
TRIED_ONCE = frozenset({"test"})
"""Kinds of messages that somebody waits for: the answer counts, not the arrival."""


@dataclass(frozen=True, slots=True)
class Message:
    """`id` is the stable id that each try carries (64 characters at most), `incident` the public
    id of the alert that it belongs to (none where it tells of many), `facts` are names and values,
    in the order to be read."""

    id: str
    kind: MessageKind
    title: str
    text: str
    facts: tuple[tuple[str, str], ...]
    link: str
    incident: str
    at: datetime
