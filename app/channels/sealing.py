"""Settings of channels, sealed with a key that is worked out from the server's own secret."""

import base64
import hashlib
import hmac
import json
from typing import Any

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from flask import current_app


class UnreadableError(Exception):
    """Settings that were sealed with another secret key, or that were changed since."""


def seal(settings: dict[str, Any]) -> str:
    return _boxes().encrypt(json.dumps(settings).encode()).decode()


def unseal(sealed: str) -> dict[str, Any]:
    """Raises UnreadableError."""
    try:
        settings = json.loads(_boxes().decrypt(sealed.encode()))
    except (InvalidToken, ValueError) as error:
        raise UnreadableError(
            "The channel's settings can't be opened: they were sealed with another secret key. "
            "Enter them again."
        ) from error
    return dict(settings)


def _boxes() -> MultiFernet:
    """Sealed with the secret key of now, opened with that or a former one."""
    former: list[str] = current_app.config["FLOWPULSE_OLD_SECRET_KEYS"]
    secrets = [current_app.config["FLOWPULSE_KEY_SECRET"], *(each.encode() for each in former)]
    return MultiFernet([_box(secret) for secret in secrets])


def _box(secret: bytes) -> Fernet:
    key = hmac.digest(secret, b"settings of channels", hashlib.sha256)
    return Fernet(base64.urlsafe_b64encode(key))
