"""Problems: what is refused for the same reason as one line, and each group's own page."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar, NamedTuple

from flask import Blueprint, abort, flash, redirect, render_template, request, session, url_for
from flask.typing import ResponseReturnValue

from app.console.fixes import Fixes
from app.console.group_runs import take_step
from app.console.guards import current_workspace, signed_in_user, visible_workspace_ids
from app.console.kept import kept_since
from app.console.open_problems import (
    WINDOWS,
    Group,
    ProblemLine,
    Scope,
    count_unstored,
    describe,
    find_codes,
    find_group,
    list_groups,
    list_requests,
)
from app.console.paging import Paged
from app.console.url_filter import Parameter, UrlFilter, choice, lead_to_short_address, read_code
from app.models import Event
from app.problems import PROBLEMS, exact_codes
from app.processing.oldest import find_oldest
from app.workspaces.ignored_problems import ignore_problem, show_problem_again

PAGE_SIZE = 25
KEPT = ("show", "code", "window")
"""Parameters that the pages of the list share."""
REQUESTS_SHOWN = 50
_UNDO = "just_ignored"
"""In the session: the group that the next page offers to show again."""
_FINGERPRINT = re.compile("[0-9a-f]{16}")

blueprint = Blueprint("problem_groups", __name__)

VIEWS: dict[str, tuple[str, Callable[[Group], bool]]] = {
    "open": ("Open", lambda group: group.ignored is None),
    "ignored": ("Ignored", lambda group: group.ignored is not None),
}
"""What the page can show: a label, and which groups belong to it."""


class Filters(NamedTuple):
    """What the address asks for."""

    view: str
    code: str | None
    window: str


@dataclass(frozen=True)
class ProblemFilter(UrlFilter):
    """How the address says it. Groups are chosen once they are counted, and not by SQL."""

    PARAMETERS: ClassVar[Mapping[str, Parameter]] = {
        "show": Parameter("Show", choice({name: label for name, (label, _) in VIEWS.items()})),
        "code": Parameter("Code", read_code),
        "window": Parameter("Time", choice({name: each.label for name, each in WINDOWS.items()})),
    }

    @property
    def filters(self) -> Filters:
        """What is usual where the address does not say or can't be read."""
        view, window = self.value("show"), self.value("window")
        return Filters(view or next(iter(VIEWS)), self.value("code"), window or next(iter(WINDOWS)))


@blueprint.get("/problems")
def show_groups() -> ResponseReturnValue:
    if short := lead_to_short_address():
        return short
    scope = visible_workspace_ids()
    asked = ProblemFilter.read(request.args, current_workspace().id)
    filters = asked.filters
    groups = list_groups(scope, current_workspace().id)
    codes = find_codes(groups)
    chosen, wanted = choose(groups, codes, filters)
    if asked.errors:
        wanted = []
    paged = Paged(len(wanted), PAGE_SIZE, "problem_groups.show_groups", kept=KEPT)
    return render_template(
        "console/problem_groups.html",
        lines=describe(wanted[paged.part], scope, WINDOWS[filters.window]),
        filters=filters,
        wanted=asked,
        views={name: (label, sum(map(fits, groups))) for name, (label, fits) in VIEWS.items()},
        codes=_list_codes(filters.code, [codes.get(each.fingerprint) for each in chosen]),
        windows=WINDOWS,
        paged=paged,
        unstored=count_unstored(scope),
        just_ignored=session.pop(_UNDO, None),
        kept=kept_since("problem", _find_oldest(groups)),
        page_url=lambda **changes: _page_url(filters, **changes),
    ), 422 if asked.errors else 200


def choose(
    groups: Sequence[Group], codes: Mapping[str, str], filters: Filters
) -> tuple[list[Group], list[Group]]:
    """Those of the view, and of these those with the code that the address asks for."""
    chosen = [group for group in groups if VIEWS[filters.view][1](group)]
    fitting = exact_codes(filters.code) if filters.code else None
    wanted = [each for each in chosen if not fitting or codes.get(each.fingerprint) in fitting]
    return chosen, wanted


def _find_oldest(groups: Sequence[Group]) -> datetime | None:
    first = min((group.first_id for group in groups), default=0)
    return find_oldest("event", Event.id == first)


@blueprint.get("/problems/<fingerprint>")
def show_group(fingerprint: str) -> str:
    scope = visible_workspace_ids()
    line = find_line(fingerprint, scope)
    event = line.newest
    return render_template(
        "console/problem_group.html",
        line=line,
        event=event,
        problem=PROBLEMS.get(event.code or ""),
        errors=[(each, PROBLEMS.get(str(each.get("code")))) for each in event.errors or []],
        events=list_requests(scope, fingerprint, REQUESTS_SHOWN),
        kept=kept_since("problem", line.first_at),
        window=WINDOWS["7d"],
        fixes=Fixes(event),
        workflow_errors={},
        workflow_form={},
    )


@blueprint.post("/problems/<fingerprint>/ignore")
def ignore(fingerprint: str) -> ResponseReturnValue:
    group = find_line(fingerprint, visible_workspace_ids()).group
    up_to = min(_read_number("up_to") or group.last_id, group.last_id)
    ignore_problem(current_workspace().id, fingerprint, up_to, signed_in_user())
    session[_UNDO] = fingerprint
    return redirect(url_for("problem_groups.show_groups"), 303)


@blueprint.post("/problems/<fingerprint>/show-again")
def show_again(fingerprint: str) -> ResponseReturnValue:
    find_line(fingerprint, visible_workspace_ids())
    show_problem_again(current_workspace().id, fingerprint)
    flash("The problem is shown again.", "success")
    return redirect(url_for("problem_groups.show_groups"), 303)


@blueprint.post("/problems/<fingerprint>/reprocess")
def reprocess(fingerprint: str) -> ResponseReturnValue:
    find_line(fingerprint, visible_workspace_ids())
    group_href = url_for("problem_groups.show_group", fingerprint=fingerprint)
    return take_step(fingerprint, group_href, url_for("problem_groups.show_groups"))


def find_line(fingerprint: str, scope: Scope) -> ProblemLine:
    """The group with its last 7 days; 404 where none of its requests is open any more."""
    group = None
    if _FINGERPRINT.fullmatch(fingerprint):
        group = find_group(fingerprint, scope, current_workspace().id)
    lines = describe([group] if group else [], scope, WINDOWS["7d"])
    if not lines:
        abort(404, "None of its requests is refused any more, or they are past their time.")
    return lines[0]


def _list_codes(given: str | None, found: Sequence[str | None]) -> list[str]:
    """What can be chosen: the codes of the groups, and what the address asks for."""
    return sorted({code for code in (given, *found) if code})


def _read_number(name: str) -> int | None:
    text = request.values.get(name, "")
    return int(text) if re.fullmatch("[0-9]{1,18}", text, re.ASCII) else None


def _page_url(filters: Filters, **changes: Any) -> str:
    """The page's own address with some of its filters changed; what is usual is left out."""
    page: dict[str, Any] = {"page": changes.pop("page", 1)}
    changed = filters._replace(**changes)
    usual = Filters(next(iter(VIEWS)), None, next(iter(WINDOWS)))
    names = {"view": "show"}
    given: dict[str, Any] = {
        names.get(name, name): value
        for name, value, default in zip(Filters._fields, changed, usual, strict=True)
        if value != default
    }
    return url_for("problem_groups.show_groups", **given, **(page if page["page"] > 1 else {}))
