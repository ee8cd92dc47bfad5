"""Which workflow a request meant that named none: sought among all that take events."""

import difflib
from collections.abc import Sequence
from typing import NamedTuple

from slugify import slugify
from sqlalchemy import or_, select

from app.console.url_filter import storable
from app.extensions import db
from app.models import Workflow

_CLOSE_ENOUGH, _SURELY_MEANT = 0.45, 0.85
_MOST_COMPARED = 60
"""Texts that are compared letter by letter, which takes long: those that share most pairs of
letters with what was sent."""


class Likely(NamedTuple):
    """What a button needs of a workflow."""

    id: int
    public_id: str
    slug: str
    name: str


def list_in_use(workspace_id: int | None) -> list[Likely]:
    """All that take events, by name."""
    query = select(Workflow.id, Workflow.public_id, Workflow.slug, Workflow.name).where(
        Workflow.workspace_id == workspace_id, Workflow.archived_at.is_(None)
    )
    return [Likely(*row) for row in db.session.execute(query.order_by(Workflow.name))]


def find_archived(workspace_id: int | None, reference: str | None) -> Workflow | None:
    """The archived workflow with exactly this id, slug or name."""
    if not reference:
        return None
    names = (Workflow.public_id, Workflow.slug, Workflow.name)
    query = select(Workflow).where(
        Workflow.workspace_id == workspace_id,
        Workflow.archived_at.is_not(None),
        or_(*(column == storable(reference) for column in names)),
    )
    return db.session.scalar(query.limit(1))


def find_exact(reference: str, workflows: Sequence[Likely]) -> Likely | None:
    """The one whose id, slug or name this is, letter case and signs between words aside."""
    wanted = _fold(reference)
    slug = slugify(reference)
    for column in ("public_id", "slug", "name"):
        found = [each for each in workflows if _fold(getattr(each, column)) == wanted]
        if found and wanted:
            same = (each for each in found if getattr(each, column) == reference)
            return next(same, found[0])
    return next((each for each in workflows if slug and each.slug == slug), None)


def find_closest(reference: str, workflows: Sequence[Likely], most: int) -> list[Likely]:
    """At most so many whose slug or name is like the reference, the closest first."""
    wanted = _fold(reference)
    by_text = {_fold(text): each for each in workflows for text in (each.name, each.slug)}
    pairs = _pair(wanted)
    shared = sorted(by_text, key=lambda text: _share(pairs, _pair(text)), reverse=True)
    close = difflib.get_close_matches(wanted, shared[:_MOST_COMPARED], 2 * most, _CLOSE_ENOUGH)
    return list(dict.fromkeys(by_text[text] for text in close))[:most]


def is_misspelt(reference: str, workflow: Likely) -> bool:
    """Whether it names the workflow but for a letter or two; another number is another name."""
    texts = workflow.name, workflow.slug
    wanted, numbers = _fold(reference), _list_digits(reference)
    likeness = max(difflib.SequenceMatcher(None, _fold(text), wanted).ratio() for text in texts)
    return likeness >= _SURELY_MEANT and numbers in map(_list_digits, texts)


def _fold(text: str) -> str:
    return " ".join(text.split()).casefold()


def _list_digits(text: str) -> list[str]:
    return [each for each in text if each.isdigit()]


def _pair(text: str) -> frozenset[str]:
    """The pairs of letters that stand side by side."""
    return frozenset(text[at : at + 2] for at in range(max(len(text) - 1, 1)))


def _share(some: frozenset[str], others: frozenset[str]) -> float:
    """Between 0 and 1 (Dice)."""
    return 2 * len(some & others) / (len(some) + len(others))
