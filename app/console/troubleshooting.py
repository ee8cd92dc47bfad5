"""The troubleshooting table: the API's answers link to its rows, and people look for theirs."""

from collections.abc import Iterable
from typing import NamedTuple

from flask import Blueprint, render_template, request, url_for
from markupsafe import Markup

from app.console.guards import is_reader, protect_reading, visible_workspace_ids
from app.console.refusal_counts import count_codes
from app.problems import PROBLEMS, Problem, exact_codes

KIND_TITLES = {
    "request": ("Requests that are refused", "Each of these is the answer to a whole request."),
    "body": ("Slips in the JSON", "Each of these comes with invalid_json and a place in the body."),
    "field": ("Slips in the fields", "Each of these comes with validation_failed and a field."),
    "warning": ("Tolerated, with a warning", "The event was taken. Mend these when you can."),
    "processing": ("After the event was taken", "The event is safe; its run is yet to come."),
    "sign_in": ("Signing in by a provider or proxy", "Each of these is what a page says."),
    "delivery": (
        "Messages that do not arrive",
        "A channel could not send an alert; each try is on the delivery's page.",
    ),
}
FREQUENT = ("unauthorized", "workflow_not_found", "validation_failed")
"""The rows that the API reference explains itself."""
MAX_QUERY = 200
TOP = 5

blueprint = Blueprint("troubleshooting", __name__)
protect_reading(blueprint)


class Group(NamedTuple):
    """The rows of one kind."""

    kind: str
    title: str
    text: str
    problems: list[Problem]


@blueprint.get("/troubleshooting")
def show_table() -> str:
    wanted = request.args.get("q", "").strip()[:MAX_QUERY]
    found = find_rows(wanted)
    counts = count_codes(visible_workspace_ids()) if is_reader() else None
    return render_template(
        "console/troubleshooting.html",
        wanted=wanted,
        max_query=MAX_QUERY,
        found=found,
        groups=list(group_rows(found)),
        frequent=[PROBLEMS[code] for code in FREQUENT],
        counts=counts,
        top=_top(counts.by_code, is_warning=False) if counts else [],
        top_warnings=_top(counts.by_code, is_warning=True) if counts else [],
        total=len(PROBLEMS),
        requests_url=requests_url,
        lean=lean,
    )


def find_rows(wanted: str) -> list[Problem]:
    """The rows that hold every word, in any cell and in any letter case."""
    words = wanted.lower().split()
    return [row for row in PROBLEMS.values() if all(word in _text_of(row) for word in words)]


def group_rows(rows: Iterable[Problem]) -> Iterable[Group]:
    rows = list(rows)
    for kind, (title, text) in KIND_TITLES.items():
        of_kind = [row for row in rows if row.kind == kind]
        if of_kind:
            yield Group(kind, title, text, of_kind)


def lean(text: str) -> Markup:
    """Escaped for the inside of an element, where quotes may stay: there are hundreds of them."""
    return Markup(text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;"))  # noqa: S704


def requests_url(problem: Problem) -> str:
    """The log, filtered to the requests of the last 24 hours that met with this row."""
    return url_for("live_log.show_events", code=problem.code, period="24h", by="senders")


def _top(by_code: dict[str, int], *, is_warning: bool) -> list[tuple[Problem, int]]:
    # One that only a sender is told stands for others, which are counted themselves.
    rows = [
        (PROBLEMS[code], count)
        for code, count in by_code.items()
        if code in PROBLEMS and len(exact_codes(code)) == 1
    ]
    found = [row for row in rows if (row[0].kind == "warning") is is_warning]
    return sorted(found, key=lambda each: -each[1])[:TOP]


def _text_of(row: Problem) -> str:
    cells = (row.code, str(row.status), row.title, row.where, row.symptom, row.cause, row.fix)
    return " ".join((*cells, row.wrong, row.right)).lower()
