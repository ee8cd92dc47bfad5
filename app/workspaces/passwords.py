"""Passwords: argon2id, checked outside of the loop, with the same work for unknown users."""

import threading
from collections.abc import Callable, Iterable
from functools import cache
from typing import ParamSpec, TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from flask import current_app

from app.blocking import run_blocking
from app.models import NO_PASSWORD
from app.workspaces.common_passwords import find_weakness

MIN_LENGTH = 12
MAX_LENGTH = 1024
AT_ONCE = 2
"""Hashes that a process works out at the same time; each takes 64 MB."""
_HASHER = PasswordHasher()
P = ParamSpec("P")
T = TypeVar("T")


class WeakPasswordError(ValueError):
    """A password that is refused; the message says why, in words for its owner."""


def hash_password(password: str, names: Iterable[str] = ()) -> str:
    """Raises WeakPasswordError for one that is too short, too long, or would be guessed soon.

    `names`: what others know of its owner, such as address, name and workspace.
    """
    if len(password) < MIN_LENGTH:
        raise WeakPasswordError(f"Use at least {MIN_LENGTH} characters; a sentence is fine.")
    if len(password) > MAX_LENGTH:
        raise WeakPasswordError(f"Use at most {MAX_LENGTH} characters.")
    weakness = find_weakness(password, names)
    if weakness:
        raise WeakPasswordError(f"{weakness} Use a few words of your own; a sentence is fine.")
    return _in_turn(_HASHER.hash, password)


def is_right(password: str, password_hash: str | None) -> bool:
    """Whether the password fits; without a hash the work is the same, and the answer no."""
    if not password_hash or password_hash.startswith(NO_PASSWORD):
        password_hash = None
    nobodys = _in_turn(_nobodys_hash)  # In either case: the first of a process takes as long.
    fits = _in_turn(_verify, password_hash or nobodys, password[:MAX_LENGTH])
    return fits and password_hash is not None


def _in_turn(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Beside the loop, a few at once in a process: whoever sends a hundred passwords at the same
    moment is to wait, and not to take six gigabytes."""
    turns: threading.Semaphore = current_app.extensions.setdefault(
        "flowpulse_hashing", threading.Semaphore(AT_ONCE)
    )
    with turns:
        return run_blocking(function, *args, **kwargs)


def _verify(password_hash: str, password: str) -> bool:
    try:
        return _HASHER.verify(password_hash, password)
    except (VerificationError, InvalidHashError):
        return False


@cache
def _nobodys_hash() -> str:
    return _HASHER.hash("the password of an account that does not exist")
