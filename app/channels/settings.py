"""Forms of channels: what all their settings have in common, each named with its mistake."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from marshmallow import (
    EXCLUDE,
    Schema,
    ValidationError,
    fields,
    pre_load,
    validate,
    validates_schema,
)

_PLAIN = re.compile(r"[\x21-\x7e]+")
MAX_LENGTH = 1000


class Settings(Schema):
    """Settings as a form sends them: texts without spare white space, an empty one left out.

    With `any_host`, addresses may also lead to others than the service's own hosts.
    """

    class Meta:
        unknown = EXCLUDE

    def __init__(self, *, any_host: bool = False) -> None:
        super().__init__()
        self.any_host = any_host

    @pre_load
    def strip(self, data: dict[str, Any], **_: Any) -> dict[str, Any]:
        stripped = {name: str(value).strip() for name, value in data.items()}
        return {name: value for name, value in stripped.items() if value}

    @validates_schema(skip_on_field_errors=False)
    def check_hosts(self, data: dict[str, Any], **_: Any) -> None:
        for name, field in self.fields.items():
            hosts = field.metadata.get("hosts", ())
            if hosts and name in data and not self.any_host and not leads_to(data[name], hosts):
                raise ValidationError(
                    f"An address from https:// on, at {' or '.join(hosts[:2])}, is expected. For a "
                    "server of your own that takes the same messages, "
                    "FLOWPULSE_ALLOW_PRIVATE_ADDRESSES=1 has to be set.",
                    name,
                )


def text(
    label: str,
    hint: str = "",
    *,
    secret: bool = False,
    sent_to: str = "",
    required: bool = True,
    hosts: Sequence[str] = (),
    check: Callable[[str], Any] | Iterable[Callable[[str], Any]] = (),
    **look: Any,
) -> fields.String:
    """A line of text. A secret is never shown again, and is only for the place that the field
    `sent_to` names; an address is at one of `hosts` or below it; `look` are attributes of its
    input."""
    checks = [check] if callable(check) else list(check)
    article = "" if label.startswith(("Your", "The")) else "the "
    return fields.String(
        required=required,
        validate=[validate.Length(max=MAX_LENGTH, error="This is too long."), *checks],
        error_messages={"required": f"Enter {article}{label[0].lower() + label[1:]}."},
        metadata={
            "label": label,
            "hint": hint,
            "secret": secret,
            "sent_to": sent_to,
            "hosts": hosts,
            "look": look,
        },
    )


def choice(label: str, options: dict[str, str], usual: str, hint: str = "") -> fields.String:
    """One of several; `options` are values with their labels."""
    known = validate.OneOf(options, error=f"Choose one of {', '.join(options.values())}.")
    return fields.String(
        load_default=usual,
        validate=known,
        metadata={"label": label, "hint": hint, "options": options, "secret": False, "look": {}},
    )


def is_web_address(value: str) -> None:
    """Raises ValidationError, with what came and what to do."""
    try:
        parts = urlsplit(value)
        is_good = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_good = False
    if not is_good:
        raise ValidationError("Enter the whole address, from https:// on.")
    if "@" in parts.netloc:
        raise ValidationError("Leave out the name and the password before the @.")
    is_plain(value)


def leads_to(address: str, hosts: Iterable[str]) -> bool:
    """Whether it is an https:// address at one of the hosts or below one."""
    parts = urlsplit(address)
    host = f".{(parts.hostname or '').rstrip('.')}"
    return parts.scheme == "https" and any(host.endswith(f".{each}") for each in hosts)


def is_plain(value: str) -> None:
    """What goes into a header or an address holds no spaces and no letters beyond ASCII."""
    if not _PLAIN.fullmatch(value):
        raise ValidationError("Use letters, digits and signs without spaces or line breaks.")


def list_secrets(schema: type[Settings]) -> list[str]:
    """The names of the settings that are never shown again."""
    described = schema._declared_fields.items()
    return [name for name, field in described if field.metadata["secret"]]


def keep_secrets(
    schema: type[Settings], saved: Mapping[str, Any], given: Mapping[str, str]
) -> dict[str, Any]:
    """The saved secrets that a form may leave empty, and that it does not ask to remove.

    Where they would go to another place than they were entered for, they are entered anew: who may
    change the place could have them sent to himself.
    """
    places = {
        name: schema._declared_fields[name].metadata["sent_to"] for name in list_secrets(schema)
    }
    return {
        name: saved[name]
        for name, place in places.items()
        if saved.get(name)
        and f"remove_{name}" not in given
        and given.get(place, "").strip() == saved.get(place, "")
    }
