"""A workflow's badge: switched on under an address that can't be guessed, renewed, switched off."""

import secrets

from app.extensions import writing
from app.models import Workflow

_BYTES = 24
TOKEN_LENGTH = 32


def renew_badge(workflow: Workflow) -> None:
    """Switch it on, or give it another address: the old one ends at once."""
    _put(workflow, secrets.token_urlsafe(_BYTES))


def switch_badge_off(workflow: Workflow) -> None:
    _put(workflow, None)


def _put(workflow: Workflow, token: str | None) -> None:
    workflow_id = workflow.id
    with writing() as session:
        session.get_one(Workflow, workflow_id).badge_token = token
