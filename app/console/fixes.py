"""What mends a refused event: the buttons that its page offers, by code."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from slugify import slugify

from app.clock import now
from app.console.body_places import BodyText
from app.console.corrections import Correction, correct
from app.console.guards import visible_workspace_ids
from app.console.likely_workflows import (
    Likely,
    find_archived,
    find_closest,
    find_exact,
    is_misspelt,
    list_in_use,
)
from app.console.reprocessing import REPORTING, Open, find_hindrance, find_open, is_whole, preview
from app.identifiers import new_id
from app.ingest.attempts import Checked
from app.ingest.batch_places import find_place
from app.ingest.schemas import EVENT_KINDS
from app.models import NAME_LENGTH, SLUG_LENGTH, Event, Workflow
from app.workspaces.people import RefusedError
from app.workspaces.workflows import clean_slug, make_free

_MOST_CLOSE = 3
_MOST_LISTED = 200

FIXES: dict[str, tuple[str, ...]] = {
    "expired_api_key": ("new_key",),
    "insufficient_scope": ("new_key",),
    "malformed_api_key": ("new_key",),
    "missing_api_key": ("new_key",),
    "revoked_api_key": ("new_key",),
    "unknown_api_key": ("new_key",),
    "workflow_archived": ("restore",),
    "workflow_not_allowed": ("show_key",),
    "workflow_not_found": ("create_workflow", "other_workflow"),
}
"""By code: the templates `_fix_….html` that its page shows before what every refused one offers."""

_RIGHT_HEADER = "right_header"
"""What the sender of a good key in a wrong place needs, in the stead of a new one."""
_OF_THE_SENDER = frozenset({"new_key", "show_key", _RIGHT_HEADER})
"""What the sender needs, although this one request can be reprocessed."""


_WITHOUT_KEY = frozenset({"missing_api_key", "malformed_api_key"})
"""A key may have come, but in a wrong place."""
_BY_WHAT_IS_AROUND = frozenset({"in_the_future", "workflow_mismatch"})
"""Codes of fields that time, or a workflow's new name, may mend in the body as it is."""


@dataclass(frozen=True)
class Fixes:
    """What can be done about a refused event. Needs headers and body."""

    event: Event

    @cached_property
    def names(self) -> tuple[str, ...]:
        names = FIXES.get(self.event.code or "", ())
        if self.has_good_key:
            names = tuple(_RIGHT_HEADER if name == "new_key" else name for name in names)
        if "create_workflow" in names and self.meant:
            names = ("other_workflow", "create_workflow")  # What leads is what will do.
        if self.is_accepted_today:
            return tuple(name for name in names if name in _OF_THE_SENDER)
        return names

    @property
    def has_good_key(self) -> bool:
        """Whether its key would do now in its right place; one that came in an address is known to
        many."""
        key = self.event.api_key
        if key is None or self.event.code not in _WITHOUT_KEY or "fp_" in self.event.path:
            return False
        is_live = key.revoked_at is None and (key.expires_at is None or key.expires_at > now())
        return is_live and "ingest" in key.scopes.split()

    @cached_property
    def hindrance(self) -> str | None:
        """Why it can't be reprocessed, in a sentence."""
        return find_hindrance(self.event)

    @cached_property
    def today(self) -> Checked | None:
        """What would become of it under today's rules."""
        return None if self.hindrance else preview(self.event)

    @cached_property
    def is_accepted_today(self) -> bool:
        return self.today is not None and self.today.problem is None

    @cached_property
    def can_reprocess(self) -> bool:
        """Whether what is refused for this reason may ever be accepted as it came."""
        problem = self.today.problem if self.today else None
        if self.is_accepted_today:
            return True
        code = problem.code if problem else self.event.code
        errors = [each.as_dict() for each in problem.errors] if problem else self.event.errors
        codes = {str(each.get("code")) for each in errors or []}
        if code == "validation_failed":
            return codes <= _BY_WHAT_IS_AROUND
        return code != "invalid_json"

    @cached_property
    def open(self) -> Open:
        """Those that are refused for the same reason and wait, this one among them if it does."""
        return find_open(visible_workspace_ids(), self.event.fingerprint)

    @property
    def open_count(self) -> int:
        return self.open.total

    @cached_property
    def can_run_group(self) -> bool:
        """Whether to offer that all of the group run again."""
        if not self.can_reprocess:
            return False
        if self.event.resolved_at is not None:
            return self.open.total > 0
        return self.open.total > 1 and (self.is_accepted_today or self.hindrance is not None)

    @cached_property
    def can_resend(self) -> bool:
        event = self.event
        is_report = event.kind in REPORTING or find_place(event.kind, event.path) is not None
        return event.workspace_id is not None and is_report

    @cached_property
    def correction(self) -> Correction | None:
        event = self.event
        is_report = self.can_resend and event.kind in EVENT_KINDS
        if not is_report or not event.body or not is_whole(event):
            return None
        content_type = find_content_type(event)
        return correct(event.body, content_type, event.kind or "", event.workspace_id or 0)

    @property
    def would_do(self) -> bool:
        """Whether the corrected body would be accepted as it stands, and can be sent from here."""
        return self.can_resend and self.correction is not None and not self.correction.problem

    @cached_property
    def form_id(self) -> str:
        """Of the form that sends it: a second press of the same button is known by that."""
        return new_id()

    @cached_property
    def archived(self) -> Workflow | None:
        """The archived workflow that the request names."""
        if self.event.code != "workflow_archived":
            return None
        return find_archived(self.event.workspace_id, self.event.reference)

    @property
    def workflows(self) -> Sequence[Likely]:
        """Those that take events, by name; the first of them, to choose from."""
        return self._in_use[:_MOST_LISTED]

    @cached_property
    def _in_use(self) -> Sequence[Likely]:
        return list_in_use(self.event.workspace_id)

    @cached_property
    def exact(self) -> Likely | None:
        """The workflow that the reference does name, though in another field or other letters."""
        return find_exact(self.event.reference or "", self._in_use)

    @cached_property
    def meant(self) -> Likely | None:
        """The workflow that was surely meant: named otherwise, or misspelt."""
        reference = self.event.reference or ""
        misspelt = (each for each in self._close[:1] if is_misspelt(reference, each))
        return self.exact or next(misspelt, None)

    @cached_property
    def _close(self) -> list[Likely]:
        return find_closest(self.event.reference or "", self._in_use, _MOST_CLOSE)

    @cached_property
    def closest(self) -> list[Likely]:
        """At most three that were meant, are named, or are called nearly so."""
        found = [each for each in self._in_use if each.id == self.event.workflow_id]
        meant = [self.meant] if self.meant else []
        return list(dict.fromkeys([*meant, *found, *self._close]))[:_MOST_CLOSE]

    @cached_property
    def proposed(self) -> tuple[str, str]:
        """Name and slug of the workflow that the reference stands for, neither of them taken."""
        reference = " ".join((self.event.reference or "").split())
        slug = propose_slug(reference)
        is_slug = slug == reference
        name = reference.replace("-", " ").capitalize() if is_slug else reference
        return make_free(self.event.workspace_id or 0, name[:NAME_LENGTH], slug)


def propose_slug(reference: str) -> str:
    """The reference itself, where it is a slug."""
    try:
        return clean_slug(reference)
    except RefusedError:
        return slugify(reference, max_length=SLUG_LENGTH)


def read_body(event: Event) -> BodyText:
    """Its body as text. Needs headers and body."""
    is_cut = event.body_size is not None and len(event.body) < event.body_size
    return BodyText(event.body, find_content_type(event), is_cut)


def find_content_type(event: Event) -> str | None:
    return next((value for name, value in event.headers if name == "Content-Type"), None)
