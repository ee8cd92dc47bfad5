"""Labels of workflows: words that group them for alert rules and maintenance windows."""

from sqlalchemy import delete, select

from app.alerting.telling import look_again
from app.clock import now
from app.extensions import db, writing
from app.models import LABEL_LENGTH, Alert, Workflow, WorkflowLabel
from app.workspaces.names import UnfitNameError, clean_label
from app.workspaces.people import RefusedError

MOST_LABELS = 10


def list_labels(workflow: Workflow) -> list[str]:
    query = select(WorkflowLabel.label).where(WorkflowLabel.workflow_id == workflow.id)
    return list(db.session.scalars(query.order_by(WorkflowLabel.label)))


def set_labels(workflow: Workflow, text: str) -> list[str]:
    """Give the workflow these labels, parted by commas, and no others. Raises RefusedError.

    Its alerts may now be in other maintenance windows, or in none.
    """
    labels = read_labels(text)
    workflow_id, workspace_id = workflow.id, workflow.workspace_id
    with writing() as session:
        session.execute(delete(WorkflowLabel).where(WorkflowLabel.workflow_id == workflow_id))
        session.add_all(
            WorkflowLabel(workspace_id=workspace_id, workflow_id=workflow_id, label=label)
            for label in labels
        )
        look_again(session, Alert.workflow_id == workflow_id, now())
    return labels


def read_labels(text: str) -> list[str]:
    """In lower case, each once. Raises RefusedError."""
    words = [word for word in text.split(",") if word.strip()]
    try:
        labels = sorted({clean_label(word, LABEL_LENGTH).lower() for word in words})
    except UnfitNameError as error:
        raise RefusedError(
            "labels", f"A label is too long or holds signs that can't be seen: {error}"
        ) from error
    if len(labels) > MOST_LABELS:
        raise RefusedError("labels", f"Use at most {MOST_LABELS} labels; these are {len(labels)}.")
    if any(len(label) > LABEL_LENGTH for label in labels):  # Lower case can be longer.
        raise RefusedError("labels", f"Use at most {LABEL_LENGTH} characters for a label.")
    return labels
