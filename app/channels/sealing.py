"""Secrets that must be read again, sealed with keys worked out from the server's own secret."""

import base64
import hashlib
import hmac
import json
from typing import Any

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from flask import current_app


class UnreadableError(Exception):
    """Settings that were sealed with another secret key, or that were changed since."""


CHANNELS = b"settings of channels"


def seal(settings: dict[str, Any], purpose: bytes = CHANNELS) -> str:
    """`purpose`: what it is for; sealed for one, it can't be opened for another."""
    return _boxes(purpose).encrypt(json.dumps(settings).encode()).decode()


def unseal(sealed: str, purpose: bytes = CHANNELS) -> dict[str, Any]:
    """Raises UnreadableError."""
    try:
        settings = json.loads(_boxes(purpose).decrypt(sealed.encode()))
    except (InvalidToken, ValueError) as error:
        raise UnreadableError(
            "The channel's settings can't be opened: they were sealed with another secret key. "
            "Enter them again."
        ) from error
    return dict(settings)


def _boxes(purpose: bytes) -> MultiFernet:
    """Sealed with the secret key of now, opened with that or a former one."""
    former: list[str] = current_app.config["FLOWPULSE_OLD_SECRET_KEYS"]
    secrets = [current_app.config["FLOWPULSE_KEY_SECRET"], *(each.encode() for each in former)]
    return MultiFernet([_box(secret, purpose) for secret in secrets])


def _box(secret: bytes, purpose: bytes) -> Fernet:
    key = hmac.digest(secret, purpose, hashlib.sha256)
    return Fernet(base64.urlsafe_b64encode(key))
