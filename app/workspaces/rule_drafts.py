"""What a form says of an alert rule: checked field by field, each error at its field."""

from dataclasses import dataclass, field
from datetime import time
from typing import Any

from marshmallow import Schema, ValidationError
from sqlalchemy import select
from werkzeug.datastructures import MultiDict

from app.alerting.kinds import KINDS, Kind
from app.alerting.kinds.numbers import NumbersSchema, whole
from app.extensions import db
from app.models import RULE_NAME_LENGTH, AlertRule, Channel
from app.workspaces.alert_scopes import ALL, Scope, read_scope
from app.workspaces.mistakes import Errors, Mistakes
from app.workspaces.people import clean_field
from app.workspaces.profile import is_time_zone


class PolicySchema(NumbersSchema):
    """How often a rule tells, whatever its kind."""

    cool_down_minutes = whole(
        "Cool-down, in minutes",
        0,
        10_080,
        15,
        hint="So long after one message of a workflow, a new alert of it waits.",
    )
    reminder_minutes = whole(
        "Reminder, in minutes",
        5,
        43_200,
        None,
        hint="Again and again while it lasts. Empty: none.",
    )
    recovery_after = whole("Over after so many good runs", 1, 100, 1, hint="In a row.")


POLICY = PolicySchema()


@dataclass(slots=True)
class RuleDraft:
    """A rule as it was typed; it can be stored when there are no errors."""

    kind: Kind
    columns: dict[str, Any] = field(default_factory=dict)
    channel_ids: list[int] = field(default_factory=list)
    mistakes: Mistakes = field(default_factory=Mistakes)

    @property
    def errors(self) -> Errors:
        return self.mistakes.errors


def read_draft(workspace_id: int, kind: Kind, form: MultiDict[str, str]) -> RuleDraft:
    """All of the form's fields at once, as columns of a rule and errors by their fields."""
    draft = RuleDraft(kind)
    name, scope = "", Scope()
    with draft.mistakes.noted():
        name = clean_field("name", form.get("name", ""), RULE_NAME_LENGTH)
    if kind.source != "refused":
        with draft.mistakes.noted():
            scope = read_scope(workspace_id, form.get("scope", ALL))
    policy = _load(draft, POLICY, form)
    draft.columns = {
        "name": name or form.get("name", "").strip()[:RULE_NAME_LENGTH] or kind.label,
        "kind": kind.name,
        "workflow_id": scope.workflow_id,
        "label": scope.label,
        "numbers": _load(draft, kind.schema, form),
        "cool_down_minutes": policy.get("cool_down_minutes", 0),
        "reminder_minutes": policy.get("reminder_minutes"),
        "recovery_after": policy.get("recovery_after", 1),
        "tells_recovery": "tells_recovery" in form,
        **_read_quiet(draft, form),
    }
    draft.channel_ids = _read_channels(draft, workspace_id, form)
    return draft


def _load(draft: RuleDraft, schema: Schema, form: MultiDict[str, str]) -> dict[str, Any]:
    """A field that this form has not at all is as usual."""
    given = {
        name: form.get(name, str(field.metadata["initial"])).strip()
        for name, field in schema.fields.items()
        if name in form or field.required
    }
    try:
        loaded: dict[str, Any] = schema.load(given)
    except ValidationError as error:
        messages: dict[str, list[str]] = dict(error.messages)  # type: ignore[arg-type]
        for name, problems in messages.items():
            came = form.get(name, "").strip()[:20]
            said = f" {came} came." if came else ""
            draft.mistakes.add(name, *(f"{problem}{said}" for problem in problems))
        return dict(error.valid_data or {})
    return loaded


def _read_quiet(draft: RuleDraft, form: MultiDict[str, str]) -> dict[str, str | None]:
    """All three, or none."""
    begin, end = form.get("quiet_from", "").strip(), form.get("quiet_until", "").strip()
    zone = form.get("quiet_zone", "").strip() or "UTC"
    if not is_time_zone(zone):
        draft.mistakes.add("quiet_zone", "Choose a time zone from the list.")
        zone = "UTC"
    none = {"quiet_from": None, "quiet_until": None, "quiet_zone": zone}
    if not begin and not end:
        return none
    for name, text in (("quiet_from", begin), ("quiet_until", end)):
        if not _is_time(text):
            draft.mistakes.add(name, "Enter a time, such as 22:00.")
    if begin == end:
        draft.mistakes.add("quiet_until", "Enter another time than the begin.")
    if not {"quiet_from", "quiet_until"}.isdisjoint(draft.errors):
        return none
    return {"quiet_from": begin, "quiet_until": end, "quiet_zone": zone}


def _is_time(text: str) -> bool:
    try:
        return len(text) == 5 and time.fromisoformat(text).tzinfo is None
    except ValueError:
        return False


def _read_channels(draft: RuleDraft, workspace_id: int, form: MultiDict[str, str]) -> list[int]:
    wanted = set(form.getlist("channel"))
    query = select(Channel.id).where(
        Channel.workspace_id == workspace_id, Channel.public_id.in_(wanted)
    )
    found = list(db.session.scalars(query)) if wanted else []
    if len(found) < len(wanted):
        draft.mistakes.add("channels", "One of these channels is not there any more.")
    return found


def as_rule(workspace_id: int, draft: RuleDraft) -> AlertRule:
    """The rule that the draft would make, stored nowhere."""
    return AlertRule(
        id=0, workspace_id=workspace_id, is_on=True, snoozed_until=None, **draft.columns
    )


def kind_named(name: str) -> Kind | None:
    return KINDS.get(name)
