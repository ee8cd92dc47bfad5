"""Why a workflow may be silent: what else FlowPulse knows about it, for a message."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Protocol

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.alerting.course import Said
from app.alerting.kinds import KINDS
from app.models import Workflow


class Cause(Protocol):
    """What may be the cause, as a sentence."""

    @property
    def text(self) -> str: ...


Explain = Callable[[Session, Workflow, datetime], Cause | None]
"""Of app/processing, which stands above: the worker hands it down."""


def explain_silences(
    session: Session, told: Sequence[Said], now: datetime, explain: Explain | None
) -> dict[int, str]:
    """A sentence for each workflow that is silent, by its id, where anything is known."""
    ids = {
        said.alert.workflow_id
        for said in told
        if KINDS[said.alert.kind].source == "silences" and said.alert.ended_at is None
    }
    if explain is None or not ids:
        return {}
    workflows = session.scalars(select(Workflow).where(Workflow.id.in_(ids))).all()
    causes = {workflow.id: explain(session, workflow, now) for workflow in workflows}
    return {workflow_id: cause.text for workflow_id, cause in causes.items() if cause}
