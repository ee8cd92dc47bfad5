"""Passwords: argon2id, checked outside of the loop, with the same work for unknown users."""

from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from app.blocking import run_blocking

MIN_LENGTH = 12
MAX_LENGTH = 1024
_HASHER = PasswordHasher()


class WeakPasswordError(ValueError):
    """A password that is refused; the message says why, in words for its owner."""


def hash_password(password: str) -> str:
    """Raises WeakPasswordError for one that is too short or too long."""
    if len(password) < MIN_LENGTH:
        raise WeakPasswordError(f"Use at least {MIN_LENGTH} characters; a sentence is fine.")
    if len(password) > MAX_LENGTH:
        raise WeakPasswordError(f"Use at most {MAX_LENGTH} characters.")
    return run_blocking(_HASHER.hash, password)


def is_right(password: str, password_hash: str | None) -> bool:
    """Whether the password fits; without a hash it takes as long and says no."""
    fits = run_blocking(_verify, password_hash or _nobodys_hash(), password[:MAX_LENGTH])
    return fits and password_hash is not None


def _verify(password_hash: str, password: str) -> bool:
    try:
        return _HASHER.verify(password_hash, password)
    except (VerificationError, InvalidHashError):
        return False


@cache
def _nobodys_hash() -> str:
    return _HASHER.hash("the password of an account that does not exist")
