"""Settings of channels, sealed with a key that is worked out from the server's own secret."""

import base64
import hashlib
import hmac
import json
from typing import Any

from cryptography.fernet import Fernet, InvalidToken
from flask import current_app


class UnreadableError(Exception):
    """Settings that were sealed with another secret key, or that were changed since."""


def seal(settings: dict[str, Any]) -> str:
    return _fernet().encrypt(json.dumps(settings).encode()).decode()


def unseal(sealed: str) -> dict[str, Any]:
    """Raises UnreadableError."""
    try:
        settings = json.loads(_fernet().decrypt(sealed.encode()))
    except (InvalidToken, ValueError) as error:
        raise UnreadableError(
            "The channel's settings can't be opened: they were sealed with another secret key. "
            "Enter them again."
        ) from error
    return dict(settings)


def _fernet() -> Fernet:
    secret: bytes = current_app.config["FLOWPULSE_KEY_SECRET"]
    key = hmac.digest(secret, b"settings of channels", hashlib.sha256)
    return Fernet(base64.urlsafe_b64encode(key))
