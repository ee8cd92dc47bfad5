"""A request that a person has changed and sends again."""

from typing import NamedTuple

from app.console.body_places import BodyText
from app.console.corrections import mend_json
from app.console.drafts import Draft
from app.console.fixes import Fixes, find_content_type
from app.console.reprocessing import resolve, root_of, told_by
from app.ingest.attempts import Attempt, Outcome, send
from app.ingest.pings import PINGS
from app.ingest.schemas import EVENT_KINDS
from app.models import Event, User, Workflow


class Message(NamedTuple):
    """A kind of event and a body as a person has typed it."""

    kind: str
    text: str

    @property
    def raw(self) -> bytes:
        return self.text.encode("utf-8", "replace")

    def with_workflow(self, workflow: Workflow) -> "Message":
        """The same about another workflow; as it was where the body is no JSON object."""
        draft = Draft(self.text, [])
        if self.text.lstrip().startswith("{"):
            draft.name_workflow("workflow_id", workflow.public_id)
        return self._replace(text=draft.text)


def draft_message(event: Event) -> tuple[Message, tuple[str, ...]]:
    """What to begin with: the corrected body and what was changed, or else the body as it came.

    Needs headers and body.
    """
    if event.kind in PINGS:
        told, raw = told_by(event)
        return Message(told.name, raw.decode()), ()
    kind = event.kind if event.kind in EVENT_KINDS else next(iter(EVENT_KINDS))
    correction = Fixes(event).correction
    if correction:
        return Message(kind, correction.text), correction.changes
    body = BodyText(event.body, find_content_type(event), False)
    if body.is_form:
        text, changes = mend_json(body.text, body.content_type)
        return Message(kind, text), tuple(changes)
    return Message(kind, body.text), ()


def resend(event: Event, workspace_id: int, message: Message, user: User) -> Outcome:
    """Send it in the user's name as a further attempt of the event.

    Raises ProblemError `unavailable`.
    """
    headers = [("Content-Type", "application/json")]
    if event.user_agent:
        headers.append(("User-Agent", event.user_agent))
    root_id = root_of(event)
    attempt = Attempt(
        origin="resend",
        sent_by=user.email,
        workspace_id=workspace_id,
        kind=EVENT_KINDS[message.kind],
        body=message.raw,
        headers=headers,
        attempt_of_id=root_id,
    )
    outcome = send(attempt)
    if outcome.problem is None:
        resolve({root_id})
    return outcome
