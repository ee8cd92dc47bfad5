"""Plans on their way through a form: what has been shown is what is made."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, replace
from typing import Any

from app.importing.plans import Plan
from app.workspaces.schedules import Wish

Packed = list[dict[str, Any]]


def pack(plans: Iterable[Plan]) -> Packed:
    """As JSON has them; without those that nothing is made of, and without what is only told."""
    return [asdict(replace(each, notes=())) for each in plans if not each.left_out]


def unpack(packed: Iterable[Mapping[str, Any]]) -> list[Plan]:
    return [_unpack(each) for each in packed]


def _unpack(held: Mapping[str, Any]) -> Plan:
    wish = held["wish"]
    told = {**held, "labels": tuple(held["labels"]), "notes": ()}
    return Plan(**{**told, "wish": Wish(**wish) if wish else None})
