"""A form that destroys something asks first: without a script, on a page that repeats the form.

Such a form has the fields ASKED, with what is to be asked. Once app.js has asked it leaves them
out; a form that comes with them was sent by a browser that runs no script.
"""

import re
from typing import NamedTuple

from flask import render_template, request
from flask.typing import ResponseReturnValue

from app.console.kept_forms import sent_from

ASKED = "asked"


class Question(NamedTuple):
    """What is asked, and what the button says; `variant` is how it looks."""

    title: str
    text: str = ""
    label: str = "Continue"
    variant: str = "destructive"


def ask_first() -> ResponseReturnValue | None:
    """The page that asks, if this form has not asked yet."""
    asked = request.form.getlist(ASKED)
    if not asked:
        return None
    question = Question(*asked[: len(Question._fields)])
    question = question._replace(title=re.sub(r"\{(\w+)\}", _fill_in, question.title))
    fields = [
        (name, value)
        for name, value in request.form.items(multi=True)
        if name not in (ASKED, "csrf_token")
    ]
    return render_template(
        "console/confirmation.html", question=question, fields=fields, back=sent_from()
    )


def _fill_in(place: re.Match[str]) -> str:
    """What was typed into the field of this name."""
    return request.form.get(place[1], place[0]).strip()
