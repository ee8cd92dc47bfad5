"""Groups of refused requests that a team wants to hear nothing of until they happen again."""

from sqlalchemy import delete, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, joinedload

from app.clock import now
from app.extensions import db, writing
from app.models import IgnoredProblem, User


def ignore_problem(
    workspace_id: int, fingerprint: str, up_to_event_id: int, ignored_by: User
) -> None:
    """Hide the group while none of its requests has a larger id than `up_to_event_id`.

    That is the newest one that the person had seen: one that came since shows the group again.
    """
    user_id = ignored_by.id
    try:
        _note(workspace_id, fingerprint, up_to_event_id, user_id)
    except IntegrityError:  # A colleague was quicker; the later word counts.
        _note(workspace_id, fingerprint, up_to_event_id, user_id)


def show_problem_again(workspace_id: int, fingerprint: str) -> None:
    """Undo `ignore_problem`."""
    with writing() as session:
        session.execute(
            delete(IgnoredProblem).where(
                IgnoredProblem.workspace_id == workspace_id,
                IgnoredProblem.fingerprint == fingerprint,
            )
        )


def list_ignored_problems(workspace_id: int) -> dict[str, IgnoredProblem]:
    """By fingerprint, with who ignored each; some may have happened again since."""
    query = select(IgnoredProblem).where(IgnoredProblem.workspace_id == workspace_id)
    rows = db.session.scalars(query.options(joinedload(IgnoredProblem.ignored_by)))
    return {row.fingerprint: row for row in rows}


def _note(workspace_id: int, fingerprint: str, up_to_event_id: int, user_id: int) -> None:
    with writing() as session:
        row = _find(session, workspace_id, fingerprint)
        if row is None:
            row = IgnoredProblem(workspace_id=workspace_id, fingerprint=fingerprint)
            session.add(row)
        row.up_to_event_id = up_to_event_id
        row.ignored_at = now()
        row.ignored_by_id = user_id


def _find(session: Session, workspace_id: int, fingerprint: str) -> IgnoredProblem | None:
    return session.scalar(
        select(IgnoredProblem).where(
            IgnoredProblem.workspace_id == workspace_id,
            IgnoredProblem.fingerprint == fingerprint,
        )
    )
