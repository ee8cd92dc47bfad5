"""A request that a person has changed and sends again."""

from datetime import timedelta
from hashlib import sha256
from typing import NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import undefer

from app.clock import now
from app.console.body_places import BodyText
from app.console.corrections import mend_json
from app.console.drafts import Draft
from app.console.fixes import Fixes, find_content_type
from app.console.reprocessing import resolve, root_of, told_by
from app.extensions import db
from app.ingest.attempts import Attempt, Outcome, check, send
from app.ingest.batch_body import KIND, leave_out_own
from app.ingest.batch_places import find_place
from app.ingest.field_names import find_meant
from app.ingest.pings import PINGS
from app.ingest.schemas import EVENT_KINDS
from app.models import Event, User, Workflow
from app.problems import ProblemError

_ONE_PRESS = timedelta(minutes=1)
"""Within it, the same body from the same person is a second press of one button."""
_MOST_COMPARED = 10


class Message(NamedTuple):
    """A kind of event and a body as a person has typed it."""

    kind: str
    text: str
    form_id: str = ""
    """Of the form that it was typed into: sent twice, it is one event."""

    @property
    def raw(self) -> bytes:
        return self.text.encode("utf-8", "replace")

    @property
    def send_id(self) -> str:
        """The same for whoever sends the same form twice; another one once it was changed."""
        digest = sha256(self.kind.encode() + b"\n" + self.raw).hexdigest()
        return f"{self.form_id}-{digest[:16]}"

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
    kind = event.kind if event.kind in EVENT_KINDS else _guess_kind(event)
    correction = Fixes(event).correction
    if correction:
        return Message(kind, correction.text), correction.changes
    body = BodyText(event.body, find_content_type(event), False)
    if body.is_form:
        text, changes = mend_json(body.text, body.content_type)
        return Message(kind, text), tuple(changes)
    if event.kind is None and find_place(None, event.path) is not None:  # Its kind is unknown.
        return Message(kind, leave_out_own(body.text)), ()
    return Message(kind, body.text if body.is_readable else ""), ()


def _guess_kind(event: Event) -> str:
    """Of an event of a batch that misspells its kind, the one that was meant."""
    received = [str(each.get("received")) for each in event.errors or () if each["field"] == KIND]
    meant = find_meant(received[0], tuple(EVENT_KINDS)) if received else None
    return meant or next(iter(EVENT_KINDS))


def resend(event: Event, workspace_id: int, message: Message, user: User) -> Outcome:
    """Send it in the user's name as a further attempt of the event; twice is once.

    It has no header of the sender's: that is not who sends it. Raises ProblemError `unavailable`.
    """
    root_id = root_of(event)
    attempt = Attempt(
        origin="resend",
        sent_by=user.email,
        workspace_id=workspace_id,
        kind=EVENT_KINDS[message.kind],
        body=message.raw,
        headers=[("Content-Type", "application/json")],
        attempt_of_id=root_id,
        idempotency_key=f"resend:{message.send_id}",
    )
    if check(attempt).problem and (refused := _find_refused(attempt)):
        problem = ProblemError(refused.code or "", refused.detail)
        return Outcome(refused.public_id, problem, is_repeat=True)
    outcome = send(attempt)
    if outcome.problem is None:
        resolve({root_id})
    return outcome


def _find_refused(attempt: Attempt) -> Event | None:
    """What the first press has left; that of an accepted one is known by its Idempotency-Key."""
    query = (
        select(Event)
        .where(Event.attempt_of_id == attempt.attempt_of_id, Event.state == "rejected")
        .where(Event.origin == attempt.origin, Event.sent_by == attempt.sent_by)
        .where(Event.kind == attempt.kind.name, Event.body_size == len(attempt.body))
        .where(Event.received_at > now() - _ONE_PRESS)
        .options(undefer(Event.body))
        .order_by(Event.id.desc())
        .limit(_MOST_COMPARED)
    )
    # Of a long body the beginning is kept.
    found = db.session.scalars(query)
    return next((each for each in found if attempt.body.startswith(each.body)), None)
