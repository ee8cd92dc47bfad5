"""What a provider says of itself (OpenID Connect Discovery 1.0): asked anew, and held to."""

import logging
import threading
from typing import Any
from urllib.parse import urlsplit

from authlib.integrations.flask_client import FlaskOAuth2App
from requests import RequestException

from app.clock import timestamp
from app.time_limit import TimeIsUp
from app.ways_in import WELL_KNOWN

READ_ANEW_SECONDS = 3600.0
FAILED_SECONDS = 10.0
"""So long nobody asks once more what it is, after that has failed."""
ALGORITHMS = frozenset(
    {"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512"}
) | {"EdDSA", "Ed25519"}
"""Signatures by a key of the provider's own: a shared secret or no signature at all is none."""
_ADDRESSES = ("authorization_endpoint", "token_endpoint", "jwks_uri", "userinfo_endpoint")
_NEEDED = frozenset(_ADDRESSES[:3])
_KEPT: dict[str, type] = {
    **dict.fromkeys((*_ADDRESSES, "issuer"), str),
    "claims_supported": list,
    "authorization_response_iss_parameter_supported": bool,
}
"""Of what kind each is; what is of another counts as not told."""
logger = logging.getLogger(__name__)


class KnownProvider(FlaskOAuth2App):
    """A provider whose discovery document is read when it is needed."""

    issuer = ""
    _read_at = _failed_at = 0.0
    _failure: BaseException | None = None

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._reading = threading.Lock()

    def load_server_metadata(self) -> dict[str, Any]:
        """As Authlib's own, anew every hour, and held to what discovery asks for.

        One request asks. Others go on meanwhile with what was read before, or wait where there is
        nothing yet; that is good, too, for as long as the provider can't be asked.
        """
        if self._is_due() and self._reading.acquire(blocking=not self.server_metadata):
            try:
                self._read_if_due()
            finally:
                self._reading.release()
        found: dict[str, Any] = self.server_metadata
        return found

    def _is_due(self) -> bool:
        return not self.server_metadata or timestamp() - self._read_at > READ_ANEW_SECONDS

    def _read_if_due(self) -> None:
        """Unless somebody else has, or has failed, a moment ago."""
        has_failed = self._failure and 0 <= timestamp() - self._failed_at < FAILED_SECONDS
        if self._is_due() and not has_failed:
            self._try_to_read()
        if self._failure and not self.server_metadata:
            raise self._failure.with_traceback(None)

    def _try_to_read(self) -> None:
        """Raises TimeIsUp, as the time of the request is over then; other failures are kept."""
        try:
            self.read_anew()
        except (RequestException, TimeIsUp, ValueError, TypeError) as error:
            logger.warning("The sign-in provider does not say what it is: %r", error)
            self._failure, self._failed_at = error, timestamp()
            if isinstance(error, TimeIsUp):
                raise

    def read_anew(self) -> None:
        """Ask the provider what it is. Raises RequestException and ValueError."""
        with self._get_session() as asker:
            answer = asker.request("GET", self.issuer.rstrip("/") + WELL_KNOWN, withhold_token=True)
        answer.raise_for_status()
        self.server_metadata = self._fit(answer.json())
        self._read_at, self._failure = timestamp(), None

    def _fit(self, told: Any) -> dict[str, Any]:
        """Raises ValueError."""
        if not isinstance(told, dict) or told.get("issuer") != self.issuer:
            raise ValueError(f"its discovery document is not of the issuer {self.issuer!r}")
        kept = {
            name: told[name]
            for name in _KEPT
            if told.get(name) and isinstance(told[name], _KEPT[name])
        }
        if not kept.keys() >= _NEEDED:
            raise ValueError("its discovery document names too few addresses")
        scheme = urlsplit(self.issuer).scheme
        if any(
            urlsplit(kept.get(name, "https://")).scheme not in ("https", scheme)
            for name in _ADDRESSES
        ):
            raise ValueError("its discovery document names an address without https")
        signed = set(told.get("id_token_signing_alg_values_supported") or ()) & ALGORITHMS
        kept["id_token_signing_alg_values_supported"] = sorted(signed) or ["RS256"]
        methods = told.get("token_endpoint_auth_methods_supported") or ["client_secret_basic"]
        if "client_secret_basic" not in methods:
            kept["token_endpoint_auth_method"] = "client_secret_post"  # noqa: S105
        return kept

    def tells_times(self) -> bool:
        """Whether its tokens can have an `auth_time`; one that lists no claims is taken to."""
        return "auth_time" in self.server_metadata.get("claims_supported", ("auth_time",))
