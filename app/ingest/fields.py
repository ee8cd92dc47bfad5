"""The kinds of fields that an event has: what each takes, tolerates and refuses.

Each field reads one value of a `ReadBody`, adds a warning to it for what is tolerated, and raises
`Refusal` for what is not. A value that counts as not given is read as an empty text.
"""

import json
import re
import unicodedata
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from marshmallow import ValidationError, fields, validate

from app.ingest.body import ReadBody, parse_json
from app.ingest.date_slips import name_date_slip
from app.ingest.expressions import is_expression, is_plain, is_unresolved
from app.ingest.field_names import fill
from app.ingest.slips import Slip
from app.ingest.timestamps import read_timestamp
from app.problems import FieldError

LARGEST_DURATION = 2**53
_ODD = re.compile("[\0\ud800-\udfff]")
_REPLACEMENT = "\N{REPLACEMENT CHARACTER}"
_NUMBER = re.compile(r"[+-]?(?:\d{1,20})(?:\.\d{1,20})?(?:[eE][+-]?\d{1,3})?", re.ASCII)

Data = Mapping[str, Any] | None


class Refusal(ValidationError):
    """A ValidationError that carries the error as it is answered."""

    def __init__(self, error: FieldError) -> None:
        super().__init__(error.message, error.field)
        self.error = error


class AtMost(validate.Length):
    """At most so many characters."""

    code = "too_long"
    message_max = "has more than {max} characters"

    def __call__(self, value: str) -> str:  # type: ignore[override]
        return value if len(value) <= (self.max or 0) else super().__call__(value)


class AtMostSeen(AtMost):
    """At most so many characters as people count them: marks set on a letter do not count.

    The text as it is stored may be four times as long, but no longer.
    """

    def __call__(self, value: str) -> str:  # type: ignore[override]
        most = self.max or 0
        if len(value) <= most:
            return value
        seen = sum(unicodedata.category(sign) not in ("Mn", "Me") for sign in value[: 4 * most + 1])
        if seen > most or len(value) > 4 * most:
            raise ValidationError(self._format_error(value, self.message_max))
        return value


class Within(validate.Range):
    """Within two bounds."""

    code = "out_of_range"
    message_all = "has to be from {{min}} to {{max}}"


def show_value(value: object) -> str:
    """A value as it was received: a text as it is, anything else as JSON."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


class EventField(fields.Field[Any]):
    """What all fields of an event share."""

    def deserialize(
        self, value: Any, attr: str | None = None, data: Data = None, **kwargs: Any
    ) -> Any:
        """The value that was given, read and checked; what is missing is the schema's business."""
        read = self._deserialize(value, attr, data)
        if read != "":
            for validator in self.validators:
                try:
                    validator(read)
                except ValidationError as error:
                    code = getattr(validator, "code", "invalid_type")
                    raise self.refuse(code, f" {error.messages[0]}.", value) from None
        return read

    def refuse(self, code: str, message: str, value: object, fix: str = "") -> Refusal:
        """The error of this field; `message` goes on after the field's name."""
        name = self.name or ""
        return Refusal(FieldError(name, code, f"{name}{message}", fix, show_value(value)))

    def warn(self, data: Data, code: str, message: str, value: object) -> None:
        """Adds a warning of this field; `message` goes on after the field's name."""
        if isinstance(data, ReadBody):
            name = self.name or ""
            warning = FieldError(name, code, f"{name} {message}", received=show_value(value))
            data.warnings.append(warning)


def _has_odd_characters(text: str, data: Data) -> bool:
    possible = data.odd_characters if type(data) is ReadBody else True
    return possible and _ODD.search(text) is not None


class Identifier(EventField, fields.String):
    """A short text that tells things apart: kept exactly, or refused."""

    def _deserialize(self, value: Any, attr: str | None, data: Data, **kwargs: Any) -> str:
        text = value if type(value) is str else self._read_text(value, data)
        if type(data) is ReadBody and not data.odd_characters and is_plain(text):
            return text
        if text.isspace():
            return self._read_blank(text, data)
        if _has_odd_characters(text, data):
            text = self._read_odd(text, data)
        return self._read_unresolved(text, data) if is_unresolved(text) else text

    def _read_text(self, value: Any, data: Data) -> str:
        if isinstance(value, str):
            return value
        if isinstance(value, int | float) and not isinstance(value, bool):
            self.warn(data, "text_as_number", "was sent as a number; it was taken as text.", value)
            return json.dumps(value)
        raise self.refuse("invalid_type", " has to be a text.", value)

    def _read_blank(self, text: str, data: Data) -> str:
        self.warn(data, "blank_ignored", "holds only blanks and was ignored.", text)
        return ""

    def _read_odd(self, text: str, data: Data) -> str:
        message = " holds a NUL character or half of a character."
        raise self.refuse("invalid_characters", message, text)

    def _read_unresolved(self, text: str, data: Data) -> str:
        message = "holds an expression, or a word that stands for no value; it was kept as it is."
        self.warn(data, "unresolved_value", message, text)
        return text


class Link(Identifier):
    """An id by which events or runs belong together: what stands for no value would join all."""

    def _read_blank(self, text: str, data: Data) -> str:
        if self.required:
            raise self.refuse("blank", " holds only blanks.", text)
        return super()._read_blank(text, data)

    def _read_unresolved(self, text: str, data: Data) -> str:
        if self.required and is_expression(text):
            message = ": An expression arrived in place of its value."
            raise self.refuse("unevaluated_expression", message, text)
        if self.required:
            message = " holds a word that stands for no value."
            raise self.refuse("missing", message, text, fill(self.name or ""))
        message = "holds an expression, or a word that stands for no value; it was ignored."
        self.warn(data, "unresolved_value", message, text)
        return ""


class WorkflowReference(Identifier):
    """An id, slug or name that has to belong to a workflow."""

    def _read_blank(self, text: str, data: Data) -> str:
        raise self.refuse("blank", " holds only blanks.", text)

    def _read_unresolved(self, text: str, data: Data) -> str:
        message = ": An expression arrived in place of its value."
        if is_expression(text):
            raise self.refuse("unevaluated_expression", message, text)
        return text


class Platform(Identifier):
    """The name of a platform, in lower case."""

    def _deserialize(self, value: Any, attr: str | None, data: Data, **kwargs: Any) -> str:
        return super()._deserialize(value, attr, data, **kwargs).lower()


class FreeText(Identifier):
    """A text for people: what can't be stored in it is replaced."""

    def _read_odd(self, text: str, data: Data) -> str:
        self.warn(data, "characters_replaced", "had characters that were replaced by �.", text)
        return _ODD.sub(_REPLACEMENT, text)


class Message(FreeText):
    """A text that must not get lost over its form: any other value is taken as its JSON text."""

    def _read_text(self, value: Any, data: Data) -> str:
        if isinstance(value, str):
            return value
        self.warn(data, "message_not_text", "is not a text; it was kept as JSON.", value)
        return json.dumps(value, ensure_ascii=False)

    def _read_blank(self, text: str, data: Data) -> str:
        raise self.refuse("blank", " holds only blanks.", text)


class Timestamp(EventField, fields.AwareDateTime):
    """An ISO 8601 date and time, read to UTC."""

    def _deserialize(self, value: Any, attr: str | None, data: Data, **kwargs: Any) -> datetime:
        moment = read_timestamp(value) if isinstance(value, str) else None
        if moment is None:
            slip = name_date_slip(value)
            raise self.refuse(slip.code, f": {slip.message}", value, slip.fix)
        if not moment.has_offset:
            self.warn(data, "offset_missing", "has no offset; it was taken as UTC.", value)
        return moment.at


class Duration(EventField, fields.Float):
    """A number of milliseconds."""

    def _deserialize(self, value: Any, attr: str | None, data: Data, **kwargs: Any) -> Any:
        if isinstance(value, str) and _NUMBER.fullmatch(value.strip()):
            self.warn(data, "number_as_text", "was sent as text; it was read as a number.", value)
            number = float(value)
            return int(number) if number.is_integer() else number
        if isinstance(value, str) and value.isspace():
            self.warn(data, "blank_ignored", "holds only blanks and was ignored.", value)
            return ""
        if isinstance(value, str) and is_expression(value):
            message = ": An expression arrived in place of its value."
            raise self.refuse("unevaluated_expression", message, value)
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise self.refuse("not_a_number", " has to be a number of milliseconds.", value)
        return value or 0


class Metadata(EventField, fields.Dict):
    """An object with whatever the sender likes; a text that holds one is read as it."""

    def _deserialize(self, value: Any, attr: str | None, data: Data, **kwargs: Any) -> Any:
        if isinstance(value, dict):
            odd = data.odd_characters if isinstance(data, ReadBody) else True
        else:
            value, odd = self._read_text(value, data)
        if odd:
            cleaned = _clean(value)
            if cleaned != value:
                message = "had characters that were replaced by �."
                self.warn(data, "characters_replaced", message, value)
            value = cleaned
        return value

    def _read_text(self, value: Any, data: Data) -> tuple[dict[str, Any], bool]:
        if not isinstance(value, str):
            raise self.refuse("invalid_type", " has to be an object.", value)
        if is_expression(value):
            message = ": An expression arrived in place of its value."
            raise self.refuse("unevaluated_expression", message, value)
        depth = data.max_depth - 1 if isinstance(data, ReadBody) else 63
        try:
            parsed = parse_json(value, depth)
        except Slip as slip:
            what = slip.message.replace("The body ", "It ", 1)
            message = f" is a text that holds no JSON object: {what}"
            raise self.refuse("invalid_type", message, value) from None
        if not isinstance(parsed.value, dict):
            raise self.refuse("invalid_type", " has to be an object, not a text.", value)
        self.warn(data, "metadata_as_text", "was a text that holds an object; it was read.", value)
        odd = parsed.odd_characters or "\0" in value
        return parsed.value, odd or (isinstance(data, ReadBody) and data.odd_characters)


def _clean(value: Any) -> Any:
    if isinstance(value, str):
        return _ODD.sub(_REPLACEMENT, value)
    if isinstance(value, list):
        return [_clean(item) for item in value]
    if isinstance(value, dict):
        return {_ODD.sub(_REPLACEMENT, name): _clean(item) for name, item in value.items()}
    return value
