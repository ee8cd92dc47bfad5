"""The one troubleshooting table, read from problems.toml, and the errors that quote it."""

import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import NamedTuple

from app.disguised_keys import mask_disguised
from app.invocation import as_installed
from app.secret_texts import find_secrets

KINDS = ("request", "body", "field", "warning", "processing", "sign_in", "delivery")
RECEIVED_LIMIT = 80
_NEAR = 400
"""Characters behind a cut in which a secret that it goes through ends."""

# What tells a stranger whether a key exists is for the console only.
_PUBLIC_CODES = dict.fromkeys(
    ("unknown_api_key", "revoked_api_key", "expired_api_key"), "unauthorized"
)
_UNSTORABLE = re.compile("[\0\ud800-\udfff]")
_SECRET = re.compile(r"fp_[0-9A-Za-z]{6,}")


@dataclass(frozen=True, slots=True)
class Problem:
    """One row of the table. `status` is the HTTP status that the sender saw."""

    code: str
    kind: str
    status: int
    title: str
    where: str
    symptom: str
    cause: str
    fix: str
    wrong: str
    right: str

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"{self.code}: unknown kind {self.kind!r}")
        for cell in fields(self):
            if not str(getattr(self, cell.name)).strip():
                raise ValueError(f"{self.code}: the cell {cell.name} is empty")


class Position(NamedTuple):
    """A place in a body: `offset` in bytes from 0, `line` and `column` in characters from 1."""

    offset: int
    line: int
    column: int


@dataclass(frozen=True, slots=True)
class FieldError:
    """What is wrong (or, as a warning, what was tolerated) with one field of a body.

    Every text is made safe to store and to answer: no NUL, no lone surrogate, no API key;
    `received` is cut to 80 characters.
    """

    field: str
    code: str
    message: str
    fix: str = ""
    received: str | None = None

    def __post_init__(self) -> None:
        put = object.__setattr__
        put(self, "field", shorten(presentable(self.field)))
        put(self, "message", presentable(self.message))
        put(self, "fix", presentable(self.fix or PROBLEMS[self.code].fix))
        if self.received is not None:
            put(self, "received", shorten(presentable(self.received)))

    def as_dict(self) -> dict[str, str | None]:
        """The five members of an entry of `errors`."""
        return {
            "field": self.field,
            "code": self.code,
            "message": self.message,
            "fix": self.fix,
            "received": self.received,
        }

    def as_warning(self) -> dict[str, str]:
        """The three members of an entry of `warnings`."""
        return {"field": self.field, "code": self.code, "message": self.message}


class ProblemError(Exception):
    """A refusal: a row of the table with this case's own words.

    `detail` defaults to what the errors say, or without any to the row's fix; `position` is the
    place in the body, if there is one.
    """

    def __init__(
        self,
        code: str,
        detail: str | None = None,
        errors: Iterable[FieldError] = (),
        headers: Mapping[str, str] | None = None,
        position: Position | None = None,
    ) -> None:
        self.problem = PROBLEMS[code]
        self.errors = tuple(errors)
        self.detail = presentable(detail or _summarise(self.errors) or self.problem.fix)
        self.headers = dict(headers or {})
        self.position = position
        super().__init__(f"{code}: {self.detail}")

    @property
    def code(self) -> str:
        """The exact code; `public_code` gives the one that an answer may say."""
        return self.problem.code

    @property
    def status(self) -> int:
        """The HTTP status of the answer."""
        return self.problem.status


def _summarise(errors: Sequence[FieldError]) -> str:
    """One sentence or two that say what to change."""
    if len(errors) == 1:
        return f"{errors[0].message} {errors[0].fix}"
    reasons = " ".join(error.message for error in errors)
    return f"{len(errors)} fields need a change. {reasons}" if errors else ""


def public_code(code: str) -> str:
    """The code that an answer may say: one for keys that are unknown, revoked or expired."""
    return _PUBLIC_CODES.get(code, code)


def exact_codes(code: str) -> tuple[str, ...]:
    """What the log may say where an answer said `code`: the code itself, and those behind it."""
    return (code, *(exact for exact, said in _PUBLIC_CODES.items() if said == code))


def presentable(text: str) -> str:
    """`text`, as long as before, without what must not be answered or can't be stored."""
    text = mask_disguised(_SECRET.sub(_mask, text) if "fp_" in text else text)
    if not text.isascii() or "\0" in text:
        text = _UNSTORABLE.sub("\N{REPLACEMENT CHARACTER}", text)
    return text


def _mask(secret: re.Match[str]) -> str:
    return "fp_" + "•" * (len(secret[0]) - 3)


def shorten(text: str, limit: int = RECEIVED_LIMIT) -> str:
    """`text`, cut to `limit` characters, the last of them an ellipsis where something is gone.

    Not cut through a secret, but ahead of it: its beginning would no longer be known for a part.
    """
    if len(text) <= limit:
        return text
    last = limit - 1
    cut = (each for each in find_secrets(text[: limit + _NEAR]) if each.start < last <= each.end)
    return text[: next((each.start for each in cut), last)] + "…"


def _read_table(path: Path) -> dict[str, Problem]:
    rows = tomllib.loads(as_installed(path.read_text("utf-8")))
    return {code: Problem(code=code, **cells) for code, cells in rows.items()}


PROBLEMS = _read_table(Path(__file__).with_suffix(".toml"))
