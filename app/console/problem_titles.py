"""What a refused request is called in one line, whose it is, and what the answer said."""

from app.models import Event
from app.refusal_titles import title_of_refusal


def title_of(event: Event) -> str:
    """`ended_at is missing (and 2 more)`."""
    return title_of_refusal(str(event.code), event.errors or [])


def workflow_of(event: Event) -> str | None:
    """How the request named its workflow; the workflow's name in place of an id."""
    workflow = event.workflow
    if workflow is not None and event.reference == workflow.public_id:
        return workflow.name
    return event.reference


def message_of(event: Event) -> str:
    """The first thing that the answer said of it."""
    errors = event.errors or []
    return str(errors[0].get("message", "")) if errors else event.detail or ""
