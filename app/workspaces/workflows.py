"""Workflows: made, renamed, archived and restored."""

import re
from collections.abc import Sequence
from typing import overload

from slugify import slugify
from sqlalchemy import delete, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from app.clock import now
from app.extensions import db, writing
from app.models import (
    FORMER_SLUG_LIFETIME,
    NAME_LENGTH,
    SLUG_LENGTH,
    FormerSlug,
    Workflow,
)
from app.workspaces.mistakes import Mistakes, RefusedError
from app.workspaces.people import clean_field
from app.workspaces.schedules import end_silence, resume_schedule

_SLUG = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")
_MAX_SUFFIX = 1000


def create_workflow(
    workspace_id: int, name: str, slug: str | None = None, *, is_demo: bool = False
) -> Workflow:
    """Make a workflow; without a slug, one is made from the name. Raises RefusedError."""
    name, wanted = _clean(workspace_id, name, slug or None)
    try:
        with writing() as session:
            _refuse_taken(session, workspace_id, name=name, slug=wanted)
            workflow = Workflow(
                workspace_id=workspace_id,
                name=name,
                slug=wanted or _free_slug(session, workspace_id, name),
                is_demo=is_demo,
            )
            _forget_former(session, workspace_id, workflow.slug)
            session.add(workflow)
    except IntegrityError as error:
        raise RefusedError("name", "This name or slug is taken.") from error
    return workflow


def find_twin(workspace_id: int, name: str, slug: str | None = None) -> Workflow | None:
    """The workflow that has this name already and, where one is given, this slug: what a second
    press of the button that made it meets."""
    query = select(Workflow).where(
        Workflow.workspace_id == workspace_id, Workflow.name == " ".join(name.split())
    )
    return db.session.scalar(query.where(Workflow.slug == slug) if slug else query)


def rename_workflow(workflow: Workflow, name: str, slug: str) -> None:
    """Give a workflow another name or slug; its id stays, and its old slug works on for a while.

    Raises RefusedError.
    """
    workflow_id, workspace_id = workflow.id, workflow.workspace_id
    name, slug = _clean(workspace_id, name, slug, but=workflow_id)
    try:
        with writing() as session:
            _refuse_taken(session, workspace_id, name=name, slug=slug, but=workflow_id)
            if slug != workflow.slug:
                _keep_former(session, workflow, slug)
            workflow.name = name
            workflow.slug = slug
    except IntegrityError as error:
        raise RefusedError("name", "This name or slug is taken.") from error


@overload
def _clean(workspace_id: int, name: str, slug: str, but: int) -> tuple[str, str]: ...
@overload
def _clean(workspace_id: int, name: str, slug: str | None) -> tuple[str, str | None]: ...
def _clean(
    workspace_id: int, name: str, slug: str | None, but: int | None = None
) -> tuple[str, str | None]:
    """Name and slug as they are kept. Raises RefusedError with all that is wrong with both."""
    mistakes, good = Mistakes(), {}
    with mistakes.noted():
        good["name"] = clean_name(name)
    with mistakes.noted():
        if slug is not None:
            good["slug"] = clean_slug(slug)
    for field, value in good.items():
        with mistakes.noted():
            _refuse_taken(db.session(), workspace_id, but=but, **{field: value})
    mistakes.refuse()
    return good["name"], good.get("slug")


def archive_workflow(workflow: Workflow) -> None:
    """Stop taking events for it; its history stays."""
    workflow_id = workflow.id
    with writing() as session:
        workflow.archived_at = workflow.archived_at or now()
        end_silence(session, workflow_id)


def restore_workflow(workflow: Workflow) -> None:
    workflow_id = workflow.id
    with writing() as session:
        workflow.archived_at = None
        resume_schedule(session, workflow_id)


def clean_name(name: str) -> str:
    """The name without spare white space. Raises RefusedError."""
    return clean_field("name", name, NAME_LENGTH)


def clean_slug(slug: str) -> str:
    """The slug, if it is one. Raises RefusedError with a proposal."""
    slug = slug.strip()
    if not _SLUG.fullmatch(slug) or len(slug) > SLUG_LENGTH:
        proposal = slugify(slug, max_length=SLUG_LENGTH) or "my-workflow"
        raise RefusedError(
            "slug",
            f"Use 1 to {SLUG_LENGTH} lower-case letters, digits and single hyphens, "
            f"such as {proposal}.",
        )
    return slug


def _refuse_taken(
    session: Session,
    workspace_id: int,
    *,
    name: str | None = None,
    slug: str | None = None,
    but: int | None = None,
) -> None:
    for field, value in (("name", name), ("slug", slug)):
        taken = select(Workflow.id).where(
            Workflow.workspace_id == workspace_id,
            getattr(Workflow, field) == value,
            Workflow.id != (but or 0),
        )
        if value and session.scalar(taken) is not None:
            raise RefusedError(field, f"Another workflow has the {field} {value}.")
    if slug:
        _refuse_former(session, workspace_id, slug, but)


def _refuse_former(session: Session, workspace_id: int, slug: str, but: int | None) -> None:
    """A slug that still works for another workflow would take that one's events away."""
    former = session.scalar(
        select(FormerSlug).where(
            FormerSlug.workspace_id == workspace_id,
            FormerSlug.slug == slug,
            FormerSlug.expires_at > now(),
            FormerSlug.workflow_id != (but or 0),
        )
    )
    if former is not None:
        days = (former.expires_at - now()).days + 1
        raise RefusedError(
            "slug",
            f"{slug} still works for {former.workflow.name}, which was renamed: "
            f"for {days} more {'day' if days == 1 else 'days'}.",
        )


def _keep_former(session: Session, workflow: Workflow, new_slug: str) -> None:
    """Have the present slug work on; what takes the new one ends that for others."""
    for slug in (workflow.slug, new_slug):
        _forget_former(session, workflow.workspace_id, slug)
    session.add(
        FormerSlug(
            workspace_id=workflow.workspace_id,
            workflow_id=workflow.id,
            slug=workflow.slug,
            expires_at=now() + FORMER_SLUG_LIFETIME,
        )
    )


def _forget_former(session: Session, workspace_id: int, slug: str) -> None:
    session.execute(
        delete(FormerSlug).where(FormerSlug.workspace_id == workspace_id, FormerSlug.slug == slug)
    )


def list_former_slugs(workflow: Workflow) -> Sequence[FormerSlug]:
    """The slugs that the workflow had and that still work, the newest first."""
    query = select(FormerSlug).where(
        FormerSlug.workflow_id == workflow.id, FormerSlug.expires_at > now()
    )
    return db.session.scalars(query.order_by(FormerSlug.id.desc())).all()


def _free_slug(session: Session, workspace_id: int, name: str) -> str:
    """`lead-enrichment`, or with a number behind it where that is taken."""
    stem = slugify(name, max_length=SLUG_LENGTH - 5) or "workflow"
    taken = _taken_slugs(session, workspace_id, stem)
    candidates = (stem, *(f"{stem}-{number}" for number in range(2, _MAX_SUFFIX)))
    return next(slug for slug in candidates if slug not in taken)


def make_free(workspace_id: int, name: str, slug: str) -> tuple[str, str]:
    """Both as they are or, where one of them is taken, with the same number behind them."""
    stem, short = name[: NAME_LENGTH - 5], slug[: SLUG_LENGTH - 5].strip("-")
    named = select(Workflow.name).where(
        Workflow.workspace_id == workspace_id, Workflow.name.startswith(stem, autoescape=True)
    )
    names = set(db.session.scalars(named))
    slugs = _taken_slugs(db.session(), workspace_id, short) if slug else set()
    numbered = ((f"{stem} {n}", f"{short}-{n}" if slug else "") for n in range(2, _MAX_SUFFIX))
    both = ((name, slug), *numbered)
    return next(each for each in both if each[0] not in names and each[1] not in slugs)


def _taken_slugs(session: Session, workspace_id: int, stem: str) -> set[str]:
    """Those that begin so, and are or were a workflow's and work still."""
    present = select(Workflow.slug).where(
        Workflow.workspace_id == workspace_id, Workflow.slug.startswith(stem)
    )
    former = select(FormerSlug.slug).where(
        FormerSlug.workspace_id == workspace_id,
        FormerSlug.slug.startswith(stem),
        FormerSlug.expires_at > now(),
    )
    return {*session.scalars(present), *session.scalars(former)}
