"""The secret key: from the settings, or made once and kept in the data folder."""

import os
import secrets
from collections.abc import Mapping
from pathlib import Path

from app.config import ConfigurationError

KNOWN_SECRETS = frozenset(
    (
        "changeme",
        "default",
        "dev",
        "flowpulse",
        "insecure",
        "keyboard-cat",
        "password",
        "secret",
        "test",
        "change-me-change-me-change-me-change-me",
        "your-secret-key-goes-here-please-change-it",
        "super-secret-key-that-should-be-changed",
        "192b9bdd22ab9ed4d12e236c78afcb9a393ec15f71bbf5dc987d54727823bcbf",  # Flask's documents'.
    )
)
MIN_SECRET_LENGTH = 32
NAME = "secret_key"
_made: set[Path] = set()
"""The files that this process has made, and none that it found."""


def resolve_secret_key(settings: Mapping[str, object]) -> str:
    """The secret from the settings, or the one kept in the data folder (made once, mode 0600)."""
    given = str(settings["FLOWPULSE_SECRET_KEY"])
    if given:
        _refuse_weak_secret(given)
        return given
    return _kept_secret(Path(str(settings["FLOWPULSE_DATA_DIR"])) / NAME)


def take_back_secret(data_dir: Path) -> None:
    """Remove the secret of this folder where this process has made it: nothing is kept by it yet,
    and it would lie where another one has to be put."""
    path = (data_dir / NAME).resolve()
    if path in _made:
        path.unlink(missing_ok=True)
        _made.remove(path)


def _refuse_weak_secret(secret: str) -> None:
    is_weak = len(secret) < MIN_SECRET_LENGTH or len(set(secret)) == 1
    if is_weak or secret.lower() in KNOWN_SECRETS:
        raise ConfigurationError(
            "FLOWPULSE_SECRET_KEY is a known default, shorter than 32 characters, or one character "
            "again and again. Leave it empty to have one made, or set the output of: "
            "python3 -c 'import secrets; print(secrets.token_urlsafe(48))'"
        )


def _kept_secret(path: Path) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    if not path.exists():
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(secrets.token_urlsafe(48))
        try:
            os.link(draft, path)  # One of several starters wins; the others read its secret.
            _made.add(path.resolve())
        except FileExistsError:
            pass
        draft.unlink()
    secret = path.read_text().strip()
    _refuse_weak_secret(secret)
    return secret
