"""The numbers of a rule: fields that check what was typed, and know how a form shows them."""

from collections.abc import Mapping
from typing import Any

from marshmallow import Schema, fields, pre_load, validate


class NumbersSchema(Schema):
    """A blank field counts as left out."""

    @pre_load
    def drop_blanks(self, data: Mapping[str, Any], **kwargs: Any) -> dict[str, Any]:
        return {name: value for name, value in data.items() if str(value).strip()}


def _described(label: str, initial: object, hint: str) -> dict[str, Any]:
    return {"label": label, "initial": initial, "hint": hint}


def whole(
    label: str, least: int, most: int, initial: int | None, *, hint: str = ""
) -> fields.Integer:
    """A whole number; with no initial one it may be left out."""
    wanted = f"Enter a whole number from {least:,} to {most:,}."
    return fields.Integer(
        required=initial is not None,
        validate=validate.Range(least, most, error=wanted),
        error_messages={"required": wanted, "invalid": wanted, "too_large": wanted},
        metadata=_described(label, initial, hint),
    )


def decimal(
    label: str,
    least: float,
    most: float,
    initial: float | None,
    *,
    usual: float | None = None,
    hint: str = "",
) -> fields.Float:
    """A number; with no initial one it may be left out, and a new rule has the usual one."""
    wanted = f"Enter a number from {least:g} to {most:g}."
    return fields.Float(
        required=initial is not None,
        validate=validate.Range(least, most, error=wanted),
        error_messages={
            "required": wanted,
            "invalid": wanted,
            "too_large": wanted,
            "special": wanted,
        },
        metadata=_described(label, usual if initial is None else initial, hint),
    )
