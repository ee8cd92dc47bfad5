"""What was typed into a form that could not be taken: kept in the answer, and given back.

A form is out of date when its session has ended or another one has begun since. The server keeps
nothing of it: the answer holds what was typed, and passes it on through signing in anew.
"""

import json
from typing import NamedTuple
from urllib.parse import urlsplit

from flask import render_template, request
from flask.typing import ResponseReturnValue
from flask_login import current_user

from app.channels.kinds import KINDS
from app.channels.settings import list_secrets
from app.console.origins import is_own
from app.console.sealed_forms import SEALED, open_form
from app.htmx import is_for_htmx
from app.links import local_path, start_page, this_address

CARRIED = "kept"
"""The field of the sign-in form that carries another form along."""
MAX_LINE = 80
"""Longer values, and those of several lines, are shown as texts that can be edited."""
PASSWORD_AGAIN = "password_again"  # noqa: S105
"""The field of the page that asks for it once more."""
SECRETS = frozenset(
    {"address", "new_password", "old_password", "password", "two_factor_password", PASSWORD_AGAIN}
).union(*(list_secrets(kind.Config) for kind in KINDS.values()))
"""The fields whose values no answer repeats: passwords, and what channels' settings call secret."""
_UNTYPED = frozenset({"as_kept", "asked", "before", "do", "done", "form_id", "instead"}) | {
    *("next", "offer", "quick", "refused", "sealed_plan", "up_to")
}
"""What pages put into forms by themselves: passed on, and nobody's loss."""


class KeptForm(NamedTuple):
    """Where a form goes, from which page it came, and its values without what is secret."""

    action: str
    page: str
    fields: tuple[tuple[str, str], ...]
    has_secrets: bool = False

    @property
    def shown(self) -> list[tuple[str, str, bool]]:
        """Label, value, and whether that is a text, of what somebody typed or chose."""
        return [
            (name, value, "\n" in value or len(value) > MAX_LINE)
            for name, value in self.fields
            if name not in _UNTYPED and value.strip()
        ]

    @property
    def hidden(self) -> list[tuple[str, str]]:
        """What is sent along as it is."""
        texts = {name for name, _, is_text in self.shown if is_text}
        return [(name, value) for name, value in self.fields if name not in texts]

    def as_text(self) -> str:
        return json.dumps(self)


def keep_form() -> KeptForm | None:
    """The form of this request; None where nothing was typed.

    Another site can't put words into anybody's mouth: its forms are refused before.
    """
    if CARRIED in request.form:
        return read_kept(request.form[CARRIED])
    if request.blueprint in ("sign_in", "second_step"):
        return None
    sealed = open_form()
    if sealed is None and SEALED in request.form:
        return None  # Somebody else's, or too old.
    given = sealed.fields if sealed else list(request.form.items(multi=True))
    given = [pair for pair in given if pair[0] != "csrf_token"]
    fields = tuple(pair for pair in given if pair[0] not in SECRETS)
    kept = KeptForm(local_path(this_address()), sent_from(), fields, len(fields) < len(given))
    return kept if kept.shown else None


def read_kept(text: str) -> KeptForm | None:
    """The form that the sign-in form has carried along, if it is one."""
    try:
        action, page, fields, has_secrets = json.loads(text)
        pairs = tuple((_storable(name), _storable(value)) for name, value in fields)
        return KeptForm(local_path(action), local_path(page), pairs, bool(has_secrets))
    except (ValueError, TypeError, AttributeError, RecursionError):
        return None


def _storable(text: str) -> str:
    """JSON can hold halves of signs, which no page can."""
    return text.encode("utf-8", "replace").decode()


def show_kept(kept: KeptForm, status: int = 200) -> ResponseReturnValue:
    """What was typed, to be sent again; who is signed out signs in on the same page."""
    if is_for_htmx():
        # The browser sends it once more as a whole page, which can show what is kept.
        return "", status, {"HX-Reswap": "none", "HX-Trigger": '{"form:plain": {}}'}
    if current_user.is_authenticated:
        return render_template("console/kept_form.html", kept=kept), status
    page = render_template("sign_in/sign_in.html", target=kept.page, email="", errors=[], kept=kept)
    return page, 401


def sent_from() -> str:
    """The path of the page that holds the form, where it is known."""
    if not is_own(request.referrer or ""):
        return start_page()
    referrer = urlsplit(request.referrer or "")
    return local_path(f"{referrer.path}?{referrer.query}" if referrer.query else referrer.path)
