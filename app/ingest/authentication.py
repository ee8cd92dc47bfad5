"""Who sends: the API key, from the headers alone, looked up anew for each request."""

from flask import current_app

from app.ingest.intake import Intake
from app.ingest.limits import Limits
from app.ingest.records import KnownKey
from app.ingest.store import Store
from app.keys import hash_key, is_well_formed
from app.problems import ProblemError


def require_key(intake: Intake, scope: str, store: Store, limits: Limits) -> KnownKey:
    """The request's key, good for the scope and within its rate.

    Raises ProblemError: `missing_api_key`, `malformed_api_key`, `unknown_api_key`,
    `revoked_api_key`, `expired_api_key`, `insufficient_scope`, `rate_limited`.
    """
    credential = read_credential(intake)
    try:
        key = identify(intake, credential, store)
    except ProblemError as problem:
        limits.check_failed_key(intake.request.remote_addr or "unknown", problem)
        raise
    if scope not in key.scopes.split():
        raise ProblemError(
            "insufficient_scope",
            f"The key {key.name!r} has no {scope} scope. Make a key that has it, under API keys.",
        )
    limits.check_key(key.id)
    return key


def read_credential(intake: Intake) -> str:
    """The key from X-API-Key or, without that header, from Authorization: Bearer (RFC 6750)."""
    environ = intake.request.environ
    credential: str | None = environ.get("HTTP_X_API_KEY")
    if credential is None:
        scheme, _, credential = environ.get("HTTP_AUTHORIZATION", "").strip().partition(" ")
        if scheme.lower() != "bearer":
            glued = scheme.lower().startswith("bearer")
            raise ProblemError("malformed_api_key" if glued else "missing_api_key")
    credential = credential.strip()
    if not credential:
        raise ProblemError("missing_api_key")
    return credential


def identify(intake: Intake, credential: str, store: Store) -> KnownKey:
    """The key's row; a revoked or expired one is noted on the intake before it is refused."""
    if not is_well_formed(credential):
        raise ProblemError("malformed_api_key")
    key = store.find_key(hash_key(credential, current_app.config["FLOWPULSE_KEY_SECRET"]))
    if key is None:
        raise ProblemError("unknown_api_key")
    intake.api_key = key
    if key.revoked_at is not None:
        raise ProblemError("revoked_api_key")
    if key.expires_at is not None and key.expires_at <= intake.received_at:
        raise ProblemError("expired_api_key")
    return key


def note_sender(intake: Intake, store: Store) -> None:
    """Whose request this is, where its key tells; for one that is refused for other reasons."""
    try:
        identify(intake, read_credential(intake), store)
    except ProblemError:
        return
