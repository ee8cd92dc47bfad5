"""The form in which a request is edited; a body that is too long for a page is kept out of it."""

from html import escape
from itertools import accumulate
from typing import NamedTuple

from flask import request
from markupsafe import Markup

from app.console.fixes import Fixes
from app.console.hidden_drafts import hide_always, hide_for_editing
from app.console.resending import Message, draft_message
from app.console.workflow_list import find_workflow
from app.htmx import is_for_htmx
from app.identifiers import is_id, new_id
from app.ingest.schemas import EVENT_KINDS
from app.models import Event
from app.secret_texts import MASK
from app.url_secrets import STARS

MOST_EDITED = 40_000
"""Bytes of the HTML that holds a body to be edited: beside it, a page has what is wrong with it."""
MOST_CHOICES = 10_000
"""Bytes of the HTML that holds the workflows to choose from."""
_BYTES_A_CHOICE = 70


class ResendForm(NamedTuple):
    """What would be sent, and how the form holds it.

    `is_kept`: the draft stays on the server, being too long, and `text` is what was typed in its
    stead, if anything; else `text` is the body itself.
    """

    message: Message
    text: str
    is_kept: bool
    changes: tuple[str, ...] = ()
    workflow: str = ""

    @property
    def html(self) -> Markup:
        """As the content of an element: there, quotes need no escape."""
        return Markup(escape(self.text, quote=False))  # noqa: S704


def draft_form(event: Event) -> ResendForm:
    """To begin with. Needs headers and body."""
    message, changes = draft_message(event)
    message = message._replace(form_id=new_id())
    shown = hide_for_editing(message.text).shown
    is_kept = len(escape(shown, quote=False).encode("utf-8", "replace")) > MOST_EDITED
    return ResendForm(message, "" if is_kept else shown, is_kept, changes)


def read_form(event: Event) -> ResendForm:
    """What was typed and chosen in this request's form. Needs headers and body.

    Raises RefusedError for a hidden value that was moved.
    """
    given = request.form
    # A browser writes line breaks as CR LF.
    typed = given.get("body", "").replace("\r\n", "\n")
    is_kept = "as_kept" in given
    kind, form_id = given.get("kind", ""), given.get("form_id", "")
    if is_kept and not typed:
        draft, changes = draft_message(event)
    else:
        draft, changes = Message("", _put_back(event, typed)), ()
    message = Message(
        kind if kind in EVENT_KINDS else next(iter(EVENT_KINDS)),
        draft.text,
        form_id if is_id(form_id) else new_id(),
    )
    chosen = given.get("workflow", "")
    if chosen:
        workflow = find_workflow(chosen)
        message = message.with_workflow(workflow)
        typed = Message("", typed).with_workflow(workflow).text if typed else typed
    if is_kept:
        # htmx puts what is checked beside the form, and leaves in it what was typed.
        return ResendForm(message, "" if is_for_htmx() else typed, True, changes, chosen)
    return ResendForm(message, typed, False)


def read_typed(event: Event) -> ResendForm:
    """The form as it was typed, masks and all, to be shown again with what is wrong with it."""
    typed, kind = request.form.get("body", "").replace("\r\n", "\n"), request.form.get("kind", "")
    kind = kind if kind in EVENT_KINDS else next(iter(EVENT_KINDS))
    return ResendForm(Message(kind, typed, new_id()), typed, "as_kept" in request.form)


def _put_back(event: Event, typed: str) -> str:
    if MASK not in typed and STARS not in typed:
        return typed
    message, _ = draft_message(event)
    return hide_always(message.text).put_back(typed)


def list_workflow_choices(event: Event) -> list[tuple[str, str]]:
    """Value and label of as many workflows as are light, by name."""
    choices = [(each.public_id, each.name) for each in Fixes(event).workflows]
    weights = accumulate(len(escape(name).encode()) + _BYTES_A_CHOICE for _, name in choices)
    most = sum(weight <= MOST_CHOICES for weight in weights)
    return [("", "as the body says"), *choices[:most]]
