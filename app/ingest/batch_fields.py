"""The two members that an event of a batch has besides its own: its kind, and its key."""

from typing import Any

from marshmallow import EXCLUDE, Schema
from marshmallow.validate import OneOf

from app.ingest.acceptance import MAX_IDEMPOTENCY_KEY
from app.ingest.batch_body import IDEMPOTENCY_KEY, KIND, OWN
from app.ingest.body import ReadBody
from app.ingest.field_names import describe_missing, find_meant
from app.ingest.fields import AtMost, Identifier, Refusal, show_value
from app.ingest.schemas import EVENT_KINDS, EventKind
from app.problems import FieldError

_KINDS = tuple(EVENT_KINDS)
_SHORTER = f"Send at most {MAX_IDEMPOTENCY_KEY} characters; a hash of a long text will do."
_SEND = f"Send {', '.join(_KINDS[:-1])} or {_KINDS[-1]}."


class OwnSchema(Schema):
    """What an event of a batch has besides the fields of its kind."""

    class Meta:
        unknown = EXCLUDE

    kind = Identifier(
        required=True,
        validate=OneOf(_KINDS),
        metadata={
            "description": "What it reports: the last part of the address that takes it alone.",
            "example": _KINDS[0],
        },
    )
    idempotency_key = Identifier(
        validate=AtMost(max=MAX_IDEMPOTENCY_KEY),
        metadata={
            "description": "Makes a retry within 24 h give the first answer, and no second event.",
            "example": "lead-enrichment-231-success",
        },
    )


_OWN_FIELDS = OwnSchema().load_fields


def read_kind(body: ReadBody, errors: list[FieldError]) -> EventKind | None:
    """The kind of event that it says; none where that is wrong, which is added to the errors."""
    value = body.get(KIND)
    known = EVENT_KINDS.get(value) if type(value) is str else None
    if known is None:
        errors.append(_explain_kind(value, body))
    return known


def _explain_kind(value: Any, body: ReadBody) -> FieldError:
    if value in (None, ""):
        missing = describe_missing((KIND,), body, (KIND,))
        return FieldError(KIND, missing.code, missing.message, _SEND, missing.received)
    shown = show_value(value)
    meant = find_meant(shown.strip(), _KINDS)
    message = f"{KIND} is {shown[:80]!r}, which is no kind of event."
    fix = f"Did you mean {meant!r}?" if meant else _SEND
    return FieldError(KIND, "unknown_kind", message, fix, shown)


def read_own_key(body: ReadBody, errors: list[FieldError]) -> str:
    """The event's idempotency key; empty where there is none, or none that will do."""
    _warn_of_misspelt_key(body)
    value = body.get(IDEMPOTENCY_KEY)
    if value is None or value == "":
        return ""
    try:
        key = _OWN_FIELDS[IDEMPOTENCY_KEY].deserialize(value, IDEMPOTENCY_KEY, body)
    except Refusal as refusal:
        error = refusal.error
        if error.code == "too_long":  # The row speaks of texts for people.
            error = FieldError(error.field, error.code, error.message, _SHORTER, error.received)
        errors.append(error)
        return ""
    return str(key).strip()


def _warn_of_misspelt_key(body: ReadBody) -> None:
    """A sender that relies on a key must hear that it did not count."""
    for name in [name for name in body if "dempot" in name and name not in OWN]:
        if find_meant(name, (IDEMPOTENCY_KEY,)):
            del body[name]
            message = f"{name} was ignored: did you mean {IDEMPOTENCY_KEY}?"
            body.warnings.append(FieldError(name, "misspelt_field", message))
