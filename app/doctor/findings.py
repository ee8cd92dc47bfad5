"""What a check of the doctor's finds."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Finding:
    """`state` is ok, warn or fail; where it isn't ok, `fix` says what to do."""

    name: str
    state: str
    message: str
    fix: str | None = None
