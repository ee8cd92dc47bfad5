"""Secrets that must be read again, sealed with keys worked out from the server's own secret."""

import base64
import hashlib
import hmac
import json
from datetime import timedelta
from typing import Any

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from flask import current_app

from app.clock import timestamp


class UnreadableError(Exception):
    """Settings that were sealed with another secret key, or that were changed since."""


CHANNELS = b"settings of channels"
LINKS = b"links of mails"
SEALED_LINK = "sealed:"


def seal(settings: dict[str, Any], purpose: bytes = CHANNELS) -> str:
    """`purpose`: what it is for; sealed for one, it can't be opened for another."""
    data = json.dumps(settings).encode()
    return _boxes(purpose).encrypt_at_time(data, int(timestamp())).decode()


def unseal(
    sealed: str, purpose: bytes = CHANNELS, good_for: timedelta | None = None
) -> dict[str, Any]:
    """Raises UnreadableError, also where it was sealed longer ago than `good_for`."""
    try:
        settings = json.loads(_open(_boxes(purpose), sealed.encode(), good_for))
    except (InvalidToken, ValueError) as error:
        raise UnreadableError(
            "The channel's settings can't be opened: they were sealed with another secret key. "
            "Enter them again."
        ) from error
    return dict(settings)


def seal_link(link: str) -> str:
    """For a message whose link lets in whoever has it: nobody can read it from the database."""
    return SEALED_LINK + seal({"link": link}, LINKS)


def open_link(link: str) -> str:
    """The link as it was, sealed or not. Raises UnreadableError."""
    if not link.startswith(SEALED_LINK):
        return link
    return str(unseal(link.removeprefix(SEALED_LINK), LINKS)["link"])


def _open(boxes: MultiFernet, sealed: bytes, good_for: timedelta | None) -> bytes:
    """Raises InvalidToken."""
    if good_for is None:
        return boxes.decrypt(sealed)
    return boxes.decrypt_at_time(sealed, int(good_for.total_seconds()), int(timestamp()))


def _boxes(purpose: bytes) -> MultiFernet:
    """Sealed with the secret key of now, opened with that or a former one."""
    former: list[str] = current_app.config["FLOWPULSE_OLD_SECRET_KEYS"]
    secrets = [current_app.config["FLOWPULSE_KEY_SECRET"], *(each.encode() for each in former)]
    return MultiFernet([_box(secret, purpose) for secret in secrets])


def _box(secret: bytes, purpose: bytes) -> Fernet:
    key = hmac.digest(secret, purpose, hashlib.sha256)
    return Fernet(base64.urlsafe_b64encode(key))
