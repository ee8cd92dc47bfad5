"""A second factor: codes of an app (TOTP, RFC 6238), and recovery codes for when it is lost."""

import base64
import hmac
import secrets
from collections.abc import Sequence
from typing import NamedTuple

from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.twofactor.totp import TOTP
from sqlalchemy import delete, func, or_, select, update
from sqlalchemy.orm import Session

from app.channels.sealing import UnreadableError, seal, unseal
from app.clock import timestamp
from app.extensions import db, writing
from app.invocation import shell_command
from app.models import RecoveryCode, User
from app.workspaces.audit import note_account
from app.workspaces.mistakes import RefusedError
from app.workspaces.sessions import end_others_in, hash_token, note_password_in, rotate_in

ISSUER = "FlowPulse"
STEP_SECONDS = 30
DIGITS = 6
DRIFT = 1
"""By how many steps a clock may be off (RFC 6238, 5.2)."""
CODES = 10
UNREADABLE = (
    "The server's secret key has changed, so no code can be checked. Use a recovery code, or have "
    f"the server's admin run: {shell_command('user reset-two-factor')}"
)
_SECRET_BYTES = 20
_PURPOSE = b"secrets of second factors"
_SIGNS = "abcdefghjkmnpqrstuvwxyz23456789"
"""Without those that are taken for one another: 16 of them are worth 79 bits."""
_PARTS, _PART = 4, 4


class Offer(NamedTuple):
    """A secret that is not in use yet: sealed for the form, and for the app as text and address."""

    sealed: str
    secret: str
    uri: str


class TurnedOn(NamedTuple):
    """The recovery codes, and the token that the session goes on with."""

    codes: list[str]
    token: str


def is_on(user: User) -> bool:
    return user.totp_sealed is not None


def make_offer(user: User, sealed: str | None = None) -> Offer:
    """A new secret; or the one that was offered before, if it was to this person."""
    secret = _open_offer(user, sealed) or secrets.token_bytes(_SECRET_BYTES)
    text = base64.b32encode(secret).decode()
    return Offer(
        seal({"user": user.public_id, "secret": text}, _PURPOSE),
        " ".join(text[start : start + 4] for start in range(0, len(text), 4)),
        _totp(secret).get_provisioning_uri(user.email, ISSUER),
    )


def turn_on(user: User, sealed: str, code: str, token: str) -> TurnedOn:
    """Use the offered secret from now on. Raises RefusedError.

    All sessions but the one with this token end: the password alone has opened them. This one gets
    another token.
    """
    secret = _open_offer(user, sealed)
    if secret is None:
        raise RefusedError("code", "This page is out of date. Start again from your account.")
    step = _find_step(secret, code)
    if step is None:
        raise RefusedError("code", _wrong(code))
    user_id, codes = user.id, _make_codes()
    with writing() as session:
        free = update(User).where(User.id == user_id, User.totp_sealed.is_(None))
        taken = session.execute(free.values(totp_sealed=_seal(user_id, secret), totp_step=step))
        if not taken.rowcount:  # type: ignore[attr-defined]
            raise RefusedError("code", "Two-factor sign-in is on already.")
        _keep_codes(session, user_id, codes)
        note_account(session, "two_factor_on", user)
        end_others_in(session, user, token, "two_factor")
        return TurnedOn(codes, rotate_in(session, token))


def turn_off(user: User, token: str) -> str:
    """Ends all sessions but the one with this token, which gets another; returns that. The password
    was given just now."""
    user_id = user.id
    with writing() as session:
        turn_off_in(session, user_id)
        note_account(session, "two_factor_off", user)
        end_others_in(session, user, token, "code_off")
        note_password_in(session, token)
        return rotate_in(session, token)


def turn_off_in(session: Session, user_id: int) -> None:
    """The same within a transaction that somebody else commits."""
    off = update(User).where(User.id == user_id).values(totp_sealed=None, totp_step=None)
    session.execute(off)
    session.execute(delete(RecoveryCode).where(RecoveryCode.user_id == user_id))


def renew_codes(user: User) -> list[str]:
    """New recovery codes in place of all that there were."""
    user_id, codes = user.id, _make_codes()
    with writing() as session:
        session.execute(delete(RecoveryCode).where(RecoveryCode.user_id == user_id))
        _keep_codes(session, user_id, codes)
        note_account(session, "recovery_codes_made", user)
    return codes


def count_codes(user: User) -> int:
    query = select(func.count()).where(RecoveryCode.user_id == user.id)
    return db.session.scalar(query) or 0


def use_code(user: User, code: str) -> None:
    """Take a code of the app, which counts once, however many come with it at the same moment.

    Raises RefusedError.
    """
    try:
        user_id, secret = user.id, _unseal(user)
    except UnreadableError as error:
        raise RefusedError("code", UNREADABLE) from error
    step = _find_step(secret, code)
    if step is None:
        raise RefusedError("code", _wrong(code))
    newer = or_(User.totp_step.is_(None), User.totp_step < step)
    with writing() as session:
        taken = session.execute(
            update(User).where(User.id == user_id, newer).values(totp_step=step)
        )
        is_taken = bool(taken.rowcount)  # type: ignore[attr-defined]
    if not is_taken:
        raise RefusedError("code", "This code was used already. Wait for the next one.")


def use_recovery_code(user: User, code: str) -> int:
    """Take one of the codes that were written down, for good; returns how many are left.

    Raises RefusedError.
    """
    user_id, code_hash = user.id, _hash(code)
    mine = RecoveryCode.user_id == user_id
    with writing() as session:
        used = delete(RecoveryCode).where(mine, RecoveryCode.code_hash == code_hash)
        is_used = bool(session.execute(used).rowcount)  # type: ignore[attr-defined]
        left = session.scalar(select(func.count()).where(mine)) or 0
        if is_used:
            note_account(session, "recovery_code_used", user, {"left": left}, who=user)
    if not is_used:
        raise RefusedError("recovery_code", "This is none of your recovery codes, or it is used.")
    return left


def _totp(secret: bytes) -> TOTP:
    return TOTP(secret, DIGITS, SHA1(), STEP_SECONDS)  # noqa: S303 (what apps understand)


def _find_step(secret: bytes, code: str) -> int | None:
    """The newest step, within the drift, that the code belongs to."""
    given = "".join(code.split()).encode("ascii", "replace")
    present, totp = int(timestamp()) // STEP_SECONDS, _totp(secret)
    for step in range(present + DRIFT, present - DRIFT - 1, -1):
        if hmac.compare_digest(totp.generate(step * STEP_SECONDS), given):
            return step
    return None


def _wrong(code: str) -> str:
    digits = "".join(code.split())
    if not (digits.isascii() and digits.isdigit() and len(digits) == DIGITS):
        return f"Enter the {DIGITS} digits that your app shows."
    return "This is not the code of now. Wait for the next one, and look at your device's clock."


def _open_offer(user: User, sealed: str | None) -> bytes | None:
    try:
        held = unseal(sealed or "", _PURPOSE)
    except UnreadableError:
        return None
    return base64.b32decode(held["secret"]) if held.get("user") == user.public_id else None


def _seal(user_id: int, secret: bytes) -> str:
    """Bound to the person: another row's would not open."""
    return seal({"id": user_id, "secret": base64.b32encode(secret).decode()}, _PURPOSE)


def _unseal(user: User) -> bytes:
    """Raises UnreadableError where the server's secret key is another one now."""
    held = unseal(user.totp_sealed or "", _PURPOSE)
    if held.get("id") != user.id:
        raise UnreadableError("This second factor is another person's.")
    return base64.b32decode(held["secret"])


def _make_codes() -> list[str]:
    return ["-".join(_random_part() for _ in range(_PARTS)) for _ in range(CODES)]


def _random_part() -> str:
    return "".join(secrets.choice(_SIGNS) for _ in range(_PART))


def _keep_codes(session: Session, user_id: int, codes: Sequence[str]) -> None:
    session.add_all(RecoveryCode(user_id=user_id, code_hash=_hash(code)) for code in codes)


def _hash(code: str) -> str:
    """However it is typed. A fast hash is enough: the codes are random."""
    return hash_token("".join(sign for sign in code.lower() if sign.isalnum()))
