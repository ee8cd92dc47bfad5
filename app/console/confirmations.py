"""A form that destroys something asks first: without a script, on a page that repeats the form.

Such a form has the fields ASKED, with what is to be asked. Once app.js has asked it leaves them
out; a form that comes with them was sent by a browser that runs no script.
"""

import re
from collections.abc import Callable
from typing import NamedTuple

from flask import render_template, request
from flask.typing import ResponseReturnValue
from werkzeug.datastructures import MultiDict

from app.console.kept_forms import sent_from
from app.workspaces.mistakes import RefusedError

ASKED = "asked"
FILL_INS: dict[str, Callable[[MultiDict[str, str]], str]] = {}
"""What a name in braces stands for within a question, by that name, told from the form; any other
name is that of a field. They raise RefusedError where it is not filled in well."""


_NAME = re.compile(r"\{(\w+)\}")


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
    try:
        title, text = (_NAME.sub(_fill_in, each) for each in question[:2])
    except RefusedError:
        return None  # Nothing will be done: the form's own page says what is wrong.
    question = question._replace(title=title, text=text)
    fields = [
        (name, value)
        for name, value in request.form.items(multi=True)
        if name not in (ASKED, "csrf_token")
    ]
    return render_template(
        "console/confirmation.html", question=question, fields=fields, back=sent_from()
    )


def _fill_in(place: re.Match[str]) -> str:
    """What the name stands for, or was typed into the field of this name."""
    tell = FILL_INS.get(place[1])
    return tell(request.form) if tell else request.form.get(place[1], place[0]).strip()
