"""Who sends: the API key, from the headers alone, looked up anew for each request."""

from contextlib import suppress

from app.disguised_keys import mask_all_keys
from app.ingest.intake import Intake
from app.ingest.misplaced_keys import Misplaced, find_misplaced_key
from app.ingest.records import KnownKey
from app.ingest.service import IngestService
from app.ingest.store import OUTAGES
from app.keys import has_key_form, hash_key, is_well_formed
from app.problems import ProblemError

_WITHOUT_KEY = frozenset({"missing_api_key", "malformed_api_key"})
"""Refused since nothing in its place has the form of a key."""


def require_key(intake: Intake, scope: str, service: IngestService) -> KnownKey:
    """The request's key, good for the scope and within its rate.

    Raises ProblemError: `missing_api_key`, `malformed_api_key`, `unknown_api_key`,
    `revoked_api_key`, `expired_api_key`, `insufficient_scope`, `rate_limited`, `unavailable`.
    """
    try:
        key = identify(intake, read_credential(intake), service)
    except ProblemError as problem:
        raise _refuse(intake, problem, service) from None
    require_scope(key, scope)
    if key.id is not None:
        service.limits.check_key(key.id)
        agent = intake.environ.get("HTTP_USER_AGENT", "")
        service.usage.note(key.id, intake.received_at, intake.remote_addr, mask_all_keys(agent))
    return key


def _refuse(intake: Intake, problem: ProblemError, service: IngestService) -> ProblemError:
    """What the sender is told; where a key came in a wrong place, which one.

    Raises ProblemError `rate_limited` for an address from which one bad key comes after the other.
    """
    misplaced = _find_misplaced_key(intake, problem)
    if misplaced or problem.code != "missing_api_key":
        service.limits.check_failed_key(intake.remote_addr or "unknown")
    return ProblemError(problem.code, misplaced.words) if misplaced else problem


def _find_misplaced_key(intake: Intake, problem: ProblemError) -> Misplaced | None:
    return find_misplaced_key(intake.environ) if problem.code in _WITHOUT_KEY else None


def read_credential(intake: Intake) -> str:
    """The key from X-API-Key or, without that header, from Authorization: Bearer (RFC 6750)."""
    environ = intake.environ
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


def identify(intake: Intake, credential: str, service: IngestService) -> KnownKey:
    """The key's row; a revoked or expired one is noted on the intake before it is refused."""
    if not has_key_form(credential):
        raise ProblemError("malformed_api_key")
    key = service.store.find_key(hash_key(credential, service.key_secret))
    if key is None:
        # The checksum, which takes longer than all the rest, tells why a key is not known.
        known_form = is_well_formed(credential)
        if known_form and service.secret.is_foreign():
            raise ProblemError("unavailable")  # Not the sender's fault: it is to try again.
        raise ProblemError("unknown_api_key" if known_form else "malformed_api_key")
    intake.api_key = key
    require_live(key, intake)
    return key


def require_live(key: KnownKey, intake: Intake) -> None:
    """Raises ProblemError `revoked_api_key` or `expired_api_key`."""
    code = why_ended(key, intake)
    if code is not None:
        raise ProblemError(code)


def why_ended(key: KnownKey, intake: Intake) -> str | None:
    """The code that a key is refused with which was revoked or has expired; None for a live one."""
    if key.revoked_at is not None:
        return "revoked_api_key"
    is_over = key.expires_at is not None and key.expires_at <= intake.received_at
    return "expired_api_key" if is_over else None


def require_scope(key: KnownKey, scope: str) -> None:
    """Raises ProblemError `insufficient_scope`."""
    if scope not in key.scopes.split():
        raise ProblemError(
            "insufficient_scope",
            f"The key {key.name!r} has no {scope} scope. Make a key that has it, under API keys.",
        )


def note_sender(intake: Intake, service: IngestService) -> bool:
    """Whose request this is, where its key tells; for one that is refused for other reasons.

    False where the key came in a wrong place: its people are to see the request, yet it was no
    pass, and must not be told from any other by how the request is treated.
    """
    try:
        identify(intake, read_credential(intake), service)
    except ProblemError as problem:
        misplaced = _find_misplaced_key(intake, problem)
        if misplaced:
            with suppress(ProblemError, *OUTAGES):
                identify(intake, misplaced.key, service)
            return False
    return True
