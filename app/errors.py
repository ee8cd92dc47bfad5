"""The one door where exceptions become answers: problem JSON under /api/, pages elsewhere."""

import logging
import re
from collections.abc import Iterable
from functools import partial
from typing import Any
from urllib.parse import unquote, urlencode, urlsplit

from flask import Flask, Response, current_app, redirect, render_template, request, url_for
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from werkzeug.exceptions import HTTPException, MethodNotAllowed, NotFound

from app.answers import PROBLEM_JSON, JsonAnswer
from app.extensions import OUTAGES
from app.htmx import is_for_htmx, toast_header
from app.ingest.foreign_pings import REFUSAL
from app.ingest.intake import current_intake
from app.ingest.rejections import keep_rejection
from app.ingest.secret_addresses import hide_pushed
from app.ingest.store import AwayError
from app.links import start_page
from app.outages import DISK_BROKEN, DISK_FULL, explain
from app.problem_documents import describe_problem
from app.problems import ProblemError
from app.request_log import TOLD

API_PREFIX = "/api/"
RETRY_SECONDS = "5"
UNREAD = {
    "REQUEST_METHOD": "?",
    "PATH_INFO": API_PREFIX,
    "RAW_URI": "?",
    "QUERY_STRING": "",
    "SERVER_PROTOCOL": "HTTP/1.1",
    "wsgi.url_scheme": "http",
    "wsgi.input_terminated": True,
}
"""What stands for the head of a request that could not be read."""
PAGE_WORDS = {
    "address_too_long": (
        "The address is too long",
        "A search takes a few hundred characters. Go back, and search for less.",
    ),
    "unavailable": (
        "The database can't be used just now",
        "Nothing was saved. Wait a few seconds, go back, and try it again.",
    ),
    "server_error": (
        "Something went wrong on the server",
        "Nothing was saved. Try it again; if it stays so, the server's output says what happened.",
    ),
}
"""What a page says in place of the words that are meant for a sender: title and text."""
CAUSE_WORDS = {
    DISK_FULL: (
        "The disk is full",
        "Nothing was saved. Whoever runs this FlowPulse has to free some space; then try it again. "
        "All that is stored can be read meanwhile.",
    ),
    DISK_BROKEN: (
        "The disk reports an error",
        "Nothing was saved. Whoever runs this FlowPulse has to look at the disk.",
    ),
}
"""The same where the cause of an outage is known."""
_PAGE_ASKED_FOR = re.compile(rb"(?:GET|HEAD) (?:https?://[^/?# ]+)?(/[^?# ]*)")
READING = frozenset({"GET", "HEAD"})
RETRIED = frozenset({"server_error", "unavailable"})

logger = logging.getLogger(__name__)


def init_errors(app: Flask) -> None:
    app.register_error_handler(ProblemError, _answer_problem)
    app.register_error_handler(HTTPException, _answer_http)
    for outage in (*OUTAGES, PoolTimeoutError, AwayError):
        app.register_error_handler(outage, _answer_outage)
    app.register_error_handler(Exception, _answer_crash)
    app.extensions["flowpulse_unread"] = partial(answer_unread, app)


def answer_unread(app: Flask, code: str, environ: dict[str, Any], begin: bytes = b"") -> Response:
    """The answer to a request of which the web server could read no more than `environ` says.

    It is logged like any other; what came instead of a head is not repeated, since a key may be
    in it. `begin`: what came of a request line that was too long to be read; where it asks for a
    page, a page answers, and nothing is logged.
    """
    page = _PAGE_ASKED_FOR.match(begin)
    is_page = page is not None and not is_of_api(unquote(page[1].decode("latin-1")))
    read = {**UNREAD, "PATH_INFO": "/", "REQUEST_METHOD": "GET"} if is_page else UNREAD
    with app.request_context({**read, **environ}):
        answer = _answer_problem(ProblemError(code, headers={"Connection": "close"}))
        return app.process_response(app.make_response(answer))


def _is_api() -> bool:
    return is_of_api(request.path)


def is_of_api(path: str) -> bool:
    """Whether an address is the API's, whose answers are JSON."""
    return f"{path.lower()}/".startswith(API_PREFIX)


def _answer_problem(problem: ProblemError) -> Response:
    in_their_terms = request.environ.get(REFUSAL)
    if not in_their_terms and not _is_api():
        words = CAUSE_WORDS.get(problem.detail) or PAGE_WORDS.get(problem.code)
        title, text = words or (problem.problem.title, problem.detail)
        page = answer_page(problem.status, title, text, **_way_on(problem))
        page.headers.extend(problem.headers)
        return page
    event_id = keep_rejection(current_intake(request.environ), problem)
    request.environ[TOLD] = {"code": problem.code, "event_id": event_id}
    headers = dict(problem.headers)
    if problem.status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    if problem.code in RETRIED:
        headers.setdefault("Retry-After", RETRY_SECONDS)
    if in_their_terms:
        refusal: Response = in_their_terms(problem, headers)
        return refusal
    document = describe_problem(problem, event_id)
    return JsonAnswer(document, problem.status, PROBLEM_JSON, headers)


def _way_on(problem: ProblemError) -> dict[str, str]:
    """Where the page's button leads, if not to the start page."""
    if problem.problem.kind != "sign_in":
        return {}
    return {"home": f"{request.script_root}/sign-in", "to": "Back to signing in"}


def _answer_http(error: HTTPException) -> Any:
    if not _is_api():
        if error.response is not None or (error.code or 500) < 400:
            return error
        above = _find_page_above() if isinstance(error, MethodNotAllowed) else None
        if above is not None and request.method in READING:
            return redirect(above, 303)
        page = answer_page(error.code or 500, error.name, error.description or "")
        if isinstance(error, MethodNotAllowed):  # RFC 9110, 15.5.6
            page.headers["Allow"] = _list_methods(error.valid_methods)
        return page
    hide_pushed(request.environ)
    if isinstance(error, MethodNotAllowed):
        allowed = _list_methods(error.valid_methods)
        detail = f"{request.method[:20]} is not possible here; send {allowed}."
        return _answer_problem(
            ProblemError("method_not_allowed", detail, headers={"Allow": allowed})
        )
    if isinstance(error, NotFound):
        return _answer_problem(ProblemError("not_found"))
    if (error.code or 500) >= 500:
        return _answer_problem(ProblemError("server_error"))
    return _answer_problem(ProblemError("bad_request", error.description))


def _find_page_above() -> str | None:
    """Of an address that takes forms alone, as it stands in the address bar after a form's answer:
    the page that the form belongs to."""
    addresses = current_app.url_map.bind("")
    path = request.path
    while path != "/":
        path = path.rpartition("/")[0] or "/"
        try:
            endpoint, ids = addresses.match(path, "GET")
        except HTTPException:
            continue
        return url_for(endpoint, **ids)
    return None


def allowed_methods(path: str) -> str:
    """The methods that an address takes, as the header Allow lists them."""
    return _list_methods(current_app.url_map.bind("").allowed_methods(path))


def _list_methods(methods: Iterable[str] | None) -> str:
    return ", ".join(sorted(set(methods or ()) - {"OPTIONS"}))


def _answer_outage(error: Exception) -> Any:
    logger.error("The database can't be used: %s", error)
    return _answer_problem(ProblemError("unavailable", explain(error)))


def _answer_crash(error: Exception) -> Any:
    logger.exception("A request crashed", exc_info=error)
    return _answer_problem(ProblemError("server_error"))


def answer_page(
    status: int, title: str, text: str, home: str = "", to: str = "Back to the start"
) -> Response:
    """A page that says so or, where htmx sent a form, a toast beside what was typed.

    `home`: where its button leads, if not to the start page; `to`: what the button says.
    """
    if is_for_htmx() and request.method == "POST":
        return _answer_in_place(status, title, text)
    page = render_template(
        "errors/error.html", status=status, title=title, text=text, home=home, to=to
    )
    return Response(page, status, content_type="text/html; charset=utf-8")


def _answer_in_place(status: int, title: str, text: str) -> Response:
    headers = {"HX-Reswap": "none"}
    if status == 401:
        page = urlsplit(request.headers.get("HX-Current-URL", "")).path
        headers["HX-Redirect"] = (
            f"{request.script_root}/sign-in?{urlencode({'next': page or start_page()})}"
        )
    else:
        headers |= toast_header([("error", f"{title}. {text}")])
    return Response("", status, headers)
