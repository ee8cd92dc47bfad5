"""What an import would make, and making it: each workflow in one transaction, and none twice."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain, count, islice
from typing import NamedTuple

from slugify import slugify
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from app.clock import now
from app.extensions import db, writing
from app.models import (
    NAME_LENGTH,
    SLUG_LENGTH,
    ApiKey,
    FormerSlug,
    Workflow,
    WorkflowLabel,
)
from app.timetable import span_in_words
from app.workspaces.api_keys import kept_of
from app.workspaces.audit import note
from app.workspaces.labels import MOST_LABELS, read_labels
from app.workspaces.mistakes import RefusedError
from app.workspaces.report_addresses import add_address
from app.workspaces.schedules import Wish, add_schedule
from app.workspaces.workflows import clean_name, clean_slug

MAKE, ADD, THERE, LEFT = "make", "add address", "there already", "left out"
_AT_ONCE = 500
_MOST_WORDS = 100
"""Of a plan's tags so many are looked at."""


@dataclass(frozen=True, slots=True)
class Plan:
    """A workflow as another system has it.

    `source` names it there for good; `secret` is the old address that is to work on; `notes` say
    what is not carried over, and why. `left_out`: why nothing is made of it at all.
    """

    source: str
    name: str
    slug: str = ""
    labels: tuple[str, ...] = ()
    wish: Wish | None = None
    secret: str | None = None
    notes: tuple[str, ...] = ()
    left_out: str = ""


class Outcome(NamedTuple):
    """What is, or would be, done about a plan."""

    action: str
    plan: Plan

    @property
    def schedule(self) -> str | None:
        """In words, such as `Every hour, 10 minutes of grace`."""
        wish = self.plan.wish
        if wish is None:
            return None
        words = wish.as_schedule().timetable.in_words()
        zone = f" {wish.time_zone}" if wish.kind == "cron" else ""
        return f"{words}{zone}, {span_in_words(wish.grace_seconds)} of grace"


def clean_plan(plan: Plan, words: Iterable[str]) -> Plan:
    """With a name, a slug and labels that can be had here; what can't is noted."""
    notes = list(plan.notes)
    try:
        name = clean_name(plan.name)
    except RefusedError as error:
        return replace(plan, name=plan.name[:NAME_LENGTH], left_out=f"Its name: {error}")
    slug = plan.slug
    if slug:
        try:
            clean_slug(slug)
        except RefusedError:
            slug = slugify(slug, max_length=SLUG_LENGTH)
            notes.append(f"The slug {plan.slug[:100]!r} has to be {slug or 'another'!r} here.")
    labels: list[str] = []
    for word in islice(words, _MOST_WORDS):
        try:
            labels += read_labels(word)
        except RefusedError:
            notes.append(f"The tag {word[:60]!r} can't be a label.")
    labels = list(dict.fromkeys(labels))
    if len(labels) > MOST_LABELS:
        notes.append(f"Of {len(labels)} tags, the first {MOST_LABELS} become labels.")
    return replace(
        plan, name=name, slug=slug, labels=tuple(labels[:MOST_LABELS]), notes=tuple(notes)
    )


def carry_out(
    workspace_id: int,
    plans: Sequence[Plan],
    origin: str,
    *,
    apply: bool,
    author_id: int | None = None,
) -> list[Outcome]:
    """Make what is not there yet or, without `apply`, only say so. The audit log tells how much was
    made, also where the rest could not be; `origin` is from where it came. Raises RefusedError."""
    taken = _Taken(workspace_id, plans)
    done: list[Outcome] = []
    try:
        for plan in plans:
            done.append(_carry_out(workspace_id, plan, taken, author_id, apply=apply))
    finally:
        if apply:
            _note(workspace_id, origin, done)
    return done


def count_actions(outcomes: Iterable[Outcome]) -> Counter[str]:
    """How often each of MAKE, ADD, THERE and LEFT stands among them."""
    return Counter(each.action for each in outcomes)


def _note(workspace_id: int, origin: str, outcomes: Iterable[Outcome]) -> None:
    counts = count_actions(outcomes)
    if counts[MAKE] or counts[ADD]:
        told = {"workflows": counts[MAKE], "addresses for workflows here": counts[ADD] or None}
        with writing() as session:
            note(session, "workflows_imported", workspace_id, origin, told)


class _Taken:
    """The names, slugs and sources that a workspace has, the addresses that the server has, and
    what is about to be added."""

    def __init__(self, workspace_id: int, plans: Iterable[Plan]) -> None:
        own = Workflow.workspace_id == workspace_id
        query = select(Workflow.name, Workflow.slug, Workflow.imported_from, Workflow.id)
        rows = db.session.execute(query.where(own)).all()
        former = select(FormerSlug.slug).where(
            FormerSlug.workspace_id == workspace_id, FormerSlug.expires_at > now()
        )
        self.names = {row.name for row in rows}
        self.slugs = {row.slug for row in rows} | set(db.session.scalars(former))
        self.sources = {row.imported_from: row.id for row in rows if row.imported_from}
        self._hashes = set(_find_known([_hash(each.secret) for each in plans if each.secret]))

    def has(self, secret: str) -> bool:
        return _hash(secret) in self._hashes

    def add(self, secret: str | None) -> None:
        if secret:
            self._hashes.add(_hash(secret))

    def make_free(self, plan: Plan) -> Plan:
        """With a name and a slug that nobody has, and a note where they had to change."""
        name = _number(plan.name, self.names, NAME_LENGTH, " ")
        stem = plan.slug or slugify(name, max_length=SLUG_LENGTH - 6) or "workflow"
        slug = _number(stem, self.slugs, SLUG_LENGTH, "-")
        notes = plan.notes
        if name != plan.name:
            notes += (f"A workflow {plan.name!r} is there: this one is called {name!r}.",)
        if plan.slug and slug != plan.slug:
            notes += (f"The slug {plan.slug!r} is taken: this one has {slug!r}.",)
        self.names.add(name)
        self.slugs.add(slug)
        return replace(plan, name=name, slug=slug, notes=notes)


def _number(wanted: str, taken: set[str], most: int, sign: str) -> str:
    """As it is or, where it is taken, with a number."""
    stem = wanted[: most - 6].rstrip(sign)
    numbered = (f"{stem}{sign}{number}" for number in count(2))
    return next(each for each in chain([wanted], numbered) if each not in taken)


def _hash(secret: str) -> str:
    return str(kept_of(secret)["key_hash"])


def _find_known(hashes: Sequence[str]) -> Iterator[str]:
    """Those that an address or a key has, in whichever workspace."""
    for first in range(0, len(hashes), _AT_ONCE):
        some = ApiKey.key_hash.in_(hashes[first : first + _AT_ONCE])
        yield from db.session.scalars(select(ApiKey.key_hash).where(some))


def _carry_out(
    workspace_id: int, plan: Plan, taken: _Taken, author_id: int | None, *, apply: bool
) -> Outcome:
    if plan.left_out:
        return Outcome(LEFT, plan)
    if plan.secret and taken.has(plan.secret):
        if plan.source not in taken.sources:
            told = "Its old address is there already, and stays with what it reports."
            plan = replace(plan, secret=None, notes=(*plan.notes, told))
        else:
            return Outcome(THERE, plan)
    workflow_id = taken.sources.get(plan.source)
    if workflow_id is not None:
        taken.add(plan.secret if workflow_id else None)
        return _add_secret(workspace_id, plan, workflow_id, author_id, apply=apply)
    plan = taken.make_free(plan)
    taken.sources[plan.source] = _make(workspace_id, plan, author_id) if apply else 0
    taken.add(plan.secret)
    return Outcome(MAKE, plan)


def _add_secret(
    workspace_id: int, plan: Plan, workflow_id: int, author_id: int | None, *, apply: bool
) -> Outcome:
    """An address for a workflow that an earlier import made without it."""
    if plan.secret is None or not workflow_id:
        return Outcome(THERE, plan)
    if apply:
        with writing() as session:
            add_address(session, workspace_id, workflow_id, plan.name, plan.secret, author_id)
    return Outcome(ADD, plan)


def _make(workspace_id: int, plan: Plan, author_id: int | None) -> int:
    """The primary key of the new workflow. Raises RefusedError."""
    try:
        with writing() as session:
            workflow = Workflow(
                workspace_id=workspace_id,
                name=plan.name,
                slug=plan.slug,
                imported_from=plan.source,
            )
            session.add(workflow)
            session.flush()
            workflow_id = workflow.id
            if plan.wish:
                add_schedule(session, workflow_id, plan.wish)
            session.add_all(
                WorkflowLabel(workspace_id=workspace_id, workflow_id=workflow_id, label=label)
                for label in plan.labels
            )
            if plan.secret:
                add_address(session, workspace_id, workflow_id, plan.name, plan.secret, author_id)
    except IntegrityError as error:
        raise RefusedError(
            "name", f"{plan.name} was made at the same time. Run the import again: it goes on."
        ) from error
    return workflow_id
