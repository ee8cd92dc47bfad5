"""Who sends, where the address itself is the secret: looked up by its hash, and never stored."""

from urllib.parse import quote

from app.disguised_keys import mask_all_keys
from app.ingest.authentication import why_ended
from app.ingest.intake import Environ, Intake
from app.ingest.records import KnownKey
from app.ingest.service import IngestService
from app.keys import ADDRESS_PREFIX_LENGTH, hash_key
from app.models import ADDRESS
from app.problems import ProblemError

PUSH = "/api/push/"


def require_address(intake: Intake, secret: str, service: IngestService) -> KnownKey:
    """The key that stands in the address, good and within its rate.

    Raises ProblemError: `unknown_address`, `ended_address`, `rate_limited`, `unavailable`.
    """
    try:
        key = _identify(intake, secret, service)
    except ProblemError as problem:
        if problem.code != "unavailable":
            service.limits.check_failed_key(intake.remote_addr or "unknown")
        raise
    assert key.id is not None  # noqa: S101 (a row has one)
    service.limits.check_key(key.id)
    agent = intake.environ.get("HTTP_USER_AGENT", "")
    service.usage.note(key.id, intake.received_at, intake.remote_addr, mask_all_keys(agent))
    return key


def _identify(intake: Intake, secret: str, service: IngestService) -> KnownKey:
    """An address that has ended is noted on the intake before it is refused: its workspace is to
    see who still uses it."""
    key = service.store.find_key(hash_key(secret, service.key_secret))
    if key is None and service.secret.is_foreign():
        raise ProblemError("unavailable")  # Not the sender's fault: it is to try again.
    if key is None or ADDRESS not in key.scopes.split():
        raise ProblemError("unknown_address")
    intake.api_key = key
    if why_ended(key, intake):
        raise ProblemError("ended_address")
    return key


def hide_pushed(environ: Environ) -> None:
    """The same for whatever comes to a push address and is refused before anybody reads it: those
    alone are under the API's path, where the log keeps every refusal."""
    path = environ["PATH_INFO"]
    if path.lower().startswith(PUSH):
        hide_secret(environ, path[len(PUSH) :].strip("/").partition("/")[0])


def hide_secret(environ: Environ, secret: str) -> None:
    """Star the secret out in the address that the log will show, whether it opens anything or not:
    it may open something elsewhere."""
    path, query = environ["PATH_INFO"], environ.get("QUERY_STRING", "")
    starred = secret[:ADDRESS_PREFIX_LENGTH].ljust(len(secret), "*")
    if secret:
        path, query = path.replace(secret, starred), query.replace(secret, starred)
    shown = quote(environ.get("SCRIPT_NAME", "") + path, "/*", "latin-1")
    environ["RAW_URI"] = f"{shown}?{query}" if query else shown
