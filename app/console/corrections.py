"""The body that a refused request should have had, as far as it can be derived."""

import difflib
import json
from collections.abc import Sequence
from typing import NamedTuple

from app.console import field_mending, json_mending
from app.console.body_places import BodyText, Place
from app.console.body_view import BodyView, view_new
from app.console.drafts import Draft
from app.console.hidden import cover
from app.ingest.attempts import Attempt, Checked, check
from app.ingest.body import read_object
from app.ingest.places import say_of
from app.ingest.schemas import EVENT_KINDS
from app.ingest.service import ingest_service
from app.json_tokens import Token, scan
from app.problems import ProblemError

_MOST_STEPS = 100
_MOST_READ = 1_500_000
"""Characters read in all while one body is mended."""
_MOST_ROUNDS = 6
_MOST_COMPARED = 3_000
_JSON = (("Content-Type", "application/json"),)
_STAGES = ("invalid_json", "validation_failed")
_BOMS = {b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16", b"\xef\xbb\xbf": "utf-8-sig"}


class Correction(NamedTuple):
    """A corrected body, what was changed in it, and what is wrong with it still, if anything."""

    text: str
    changes: tuple[str, ...]
    problem: ProblemError | None
    view: BodyView


def correct(
    raw: bytes, content_type: str | None, kind: str, workspace_id: int
) -> Correction | None:
    """The corrected body where one is accepted, or is nearer to it than what came; else None."""
    before = check_body(raw, content_type, kind, workspace_id)
    if before.problem is None or not raw:
        return None
    original, changes = _decode(raw)
    text, steps = mend_json(original, content_type)
    known = ingest_service().store.list_references(workspace_id)
    draft = Draft(text, known)
    after, further = _mend_fields(draft, kind, workspace_id)
    changes += [*steps, *further]
    if not changes or _rank(after.problem) <= _rank(before.problem):
        return None
    view = _compare(original, draft.text)
    return Correction(draft.text, tuple(dict.fromkeys(changes)), after.problem, view)


def check_body(raw: bytes, content_type: str | None, kind: str, workspace_id: int) -> Checked:
    """What would become of a body, without sending it."""
    headers = [("Content-Type", content_type)] if content_type else []
    attempt = Attempt("resend", "", workspace_id, EVENT_KINDS[kind], raw, headers)
    return check(attempt)


def mend_json(text: str, content_type: str | None) -> tuple[str, list[str]]:
    """The text without the slips that can be mended, and what was changed, in words."""
    changes: list[str] = []
    steps = max(10, min(_MOST_STEPS, _MOST_READ // (len(text) + 1)))
    for _ in range(steps):
        try:
            members = read_object(text.encode(), content_type, ingest_service().max_json_depth)
        except ProblemError as problem:
            mended = _mend_once(text, problem)
            if mended is None or mended[0] == text:
                break
            changes.append(say_of(mended[1], text, _find_start(text, problem)))
            text = mended[0]
            content_type = _JSON[0][1]
            continue
        return _settle(text, members, changes)
    return text, changes


def _settle(text: str, members: dict[str, object], changes: list[str]) -> tuple[str, list[str]]:
    """A form or a text in a text is written as the object that was read from it."""
    if text.lstrip().startswith("{"):
        return text, changes
    written = json.dumps(members, ensure_ascii=False, indent=2)
    return written, [*changes, "The fields are written as one JSON object."]


def _mend_once(text: str, problem: ProblemError) -> tuple[str, str] | None:
    if problem.position is None:
        return _take_out(text)
    rule = json_mending.RULES.get(problem.errors[0].code)
    return rule(text, _find_start(text, problem)) if rule else None


def _find_start(text: str, problem: ProblemError) -> int:
    offset = problem.position.offset if problem.position else 0
    return len(text.encode()[:offset].decode("utf-8", "replace"))


def _take_out(text: str) -> tuple[str, str] | None:
    """The slip is in JSON that was sent inside a text."""
    try:
        inner = json.loads(text)
    except ValueError:
        return None
    return (inner, "The event stands by itself, not inside a text.") if inner else None


def _mend_fields(draft: Draft, kind: str, workspace_id: int) -> tuple[Checked, list[str]]:
    changes: list[str] = []
    for _ in range(_MOST_ROUNDS):
        checked = check_body(draft.text.encode(), _JSON[0][1], kind, workspace_id)
        if checked.problem is None or checked.problem.code == "invalid_json":
            break
        found = [*checked.problem.errors, *checked.warnings]
        rules = [(field_mending.RULES.get(each.code), each) for each in found]
        words = [rule(draft, each) for rule, each in rules if rule]
        if not any(words):
            break
        changes += filter(None, words)
    return check_body(draft.text.encode(), _JSON[0][1], kind, workspace_id), changes


def _decode(raw: bytes) -> tuple[str, list[str]]:
    bom = next((bom for bom in _BOMS if raw.startswith(bom)), b"")
    try:
        text = raw.decode(_BOMS.get(bom, "utf-8"))
        return text, ["The text is UTF-8."] if _BOMS.get(bom) == "utf-16" else []
    except UnicodeDecodeError:
        return raw.decode("cp1252", "replace"), ["The text is UTF-8: it was read as Windows-1252."]


def _rank(problem: ProblemError | None) -> tuple[int, int]:
    """How near to being accepted a body is."""
    if problem is None:
        return len(_STAGES) + 1, 0
    stage = _STAGES.index(problem.code) if problem.code in _STAGES else len(_STAGES)
    return stage, -len(problem.errors)


def _compare(original: str, text: str) -> BodyView:
    """The lines of the corrected body, with what is new in it marked."""
    tokens = scan(text)
    old, new = _without_space(scan(original)), _without_space(tokens)
    places: list[Place] = []
    if len(old) + len(new) <= _MOST_COMPARED:
        matcher = difflib.SequenceMatcher(
            None,
            [original[token.start : token.end] for token in old],
            [text[token.start : token.end] for token in new],
            autojunk=False,
        )
        for tag, _, _, first, last in matcher.get_opcodes():
            if tag != "equal" and last > first:
                span = new[first].start, new[last - 1].end
                places.append(Place(len(places) + 1, *span, 0, 0, "green", ()))
    covered, places = cover(BodyText(text.encode(), _JSON[0][1], False), places)
    return view_new(covered.text, covered.tokens, places)


def _without_space(tokens: Sequence[Token]) -> list[Token]:
    return [token for token in tokens if token.kind != "space"]
