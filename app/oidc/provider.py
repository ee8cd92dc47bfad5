"""Speaks to the provider, by Authlib: discovery, the way there and back, and who has come.

The issuer is the server's own setting, and no person of the console can choose it: it is asked
wherever it is, in a private network too, past the guard of channels. It leads to no other place: no
redirect is followed, and what it names must be https as well.
"""

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from authlib.common.errors import AuthlibBaseError
from authlib.integrations.flask_client import OAuth
from flask import Flask, request, session
from joserfc.errors import JoseError
from requests import RequestException
from requests.exceptions import (
    ConnectionError,
    HTTPError,
    JSONDecodeError,
    SSLError,
    Timeout,
    TooManyRedirects,
)

from app.clock import timestamp
from app.oidc import ProviderError
from app.oidc.arrival import Arrival
from app.oidc.metadata import KnownProvider
from app.problems import ProblemError
from app.time_limit import TimeIsUp, time_limit
from app.ways_in import ISSUER, PROVIDER_UNREACHABLE, PROVIDER_WAY_OVER, provider_name

NAME = "provider"
ANSWER_SECONDS, ALL_SECONDS = (4.0, 6.0), 15.0
"""To connect and to read, of each answer; and for all that one step asks."""
WAY_SECONDS = 900
"""So long somebody may be away at the provider."""
MOST_WAYS = 3
"""Begun at the same time in one browser, whose cookie holds them."""
LEEWAY_SECONDS = 60
"""By which the clocks of provider and server may differ."""
MOST_SUBJECT = 255
SCOPE = "openid email profile"
ASK_AGAIN = {"prompt": "login", "max_age": "0"}
_TOLD_FAULTS = frozenset({"access_denied", "login_required", "interaction_required"})
_FAULTS: tuple[tuple[tuple[type[BaseException], ...], str], ...] = (
    ((SSLError,), "its certificate is not trusted, or TLS fails"),
    ((Timeout, TimeIsUp), "it gives no answer in time"),
    ((TooManyRedirects,), "it sends elsewhere, and no redirect is followed"),
    ((JSONDecodeError,), "what it answers is no JSON"),
    ((ConnectionError,), "no connection to it can be made"),
)
"""The first kind that an error is of says what is wrong."""
_ODD_ANSWERS = (ValueError, TypeError, KeyError, AttributeError, RuntimeError)
"""What the libraries raise where a value is of a kind that they did not think of."""
ODD, REFUSED = "provider_answer_unfit", "provider_refused"
logger = logging.getLogger(__name__)


class Provider(KnownProvider):
    """The provider, in Authlib's terms."""

    verified_claim = "email_verified"

    def begin(self, redirect_uri: str, kept: Mapping[str, Any], **parameters: Any) -> str:
        """The address at the provider to send the browser to. Raises ProblemError.

        `kept` comes back with the person; `parameters` are the request's (OpenID Connect Core 1.0,
        3.1.2.1). State, nonce and PKCE's verifier are Authlib's, and lie in the browser's signed
        session.
        """
        with asking():
            made = self.create_authorization_url(redirect_uri, **parameters)
        self.save_authorize_data(redirect_uri=redirect_uri, began=timestamp(), kept=kept, **made)
        return str(made["url"])

    def begin_again(self, redirect_uri: str, kept: Mapping[str, Any], email: str) -> str:
        """The same, to have the provider ask who it is whether it knows or not. Raises
        ProblemError.

        One that tells no times could not show that it has asked, and Google takes no
        `prompt=login`: there the person chooses the account.
        """
        with asking():
            self.load_server_metadata()
        asks = ASK_AGAIN if self.tells_times() else {"prompt": "select_account"}
        return self.begin(redirect_uri, kept, login_hint=email, **asks)

    def find_way(self) -> dict[str, Any]:
        """What this browser has begun, and comes back from now. Raises ProblemError."""
        state = request.args.get("state", "")
        way: dict[str, Any] | None = self.framework.get_state_data(session, state)
        if not way or not 0 <= timestamp() - way["began"] < WAY_SECONDS:
            self.framework.clear_state_data(session, state)
            raise ProblemError(PROVIDER_WAY_OVER)
        return way

    def finish(self) -> Arrival:
        """Who has come back with this request, once. Raises ProblemError."""
        way, state = self.find_way(), request.args["state"]
        try:
            self._refuse_fault()
            with asking():
                claims, told = self._read_answer()
        finally:
            self.framework.clear_state_data(session, state)
        away = timedelta(seconds=max(0.0, timestamp() - way["began"]))
        proven = self._find_proof(claims, away)
        return Arrival(
            claims["sub"],
            _read_email(told, self.verified_claim),
            _read_text(told, "email"),
            str(told.get("name") or ""),
            proven,
            proven is not None and proven <= away + timedelta(seconds=LEEWAY_SECONDS),
            way["kept"],
        )

    def _read_answer(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """The claims of the ID token, and those that tell the address."""
        self._refuse_other_issuer()
        own = {"essential": True}
        token = self.authorize_access_token(
            claims_options={
                "iss": {**own, "value": self.issuer},
                "aud": {**own, "value": self.client_id},
            },
            leeway=LEEWAY_SECONDS,
        )
        if "id_token" not in token:
            raise ValueError("there is no ID token")
        claims: dict[str, Any] = token["userinfo"]  # Of the ID token, which was checked.
        subject = claims["sub"]
        is_text = isinstance(subject, str) and subject.isprintable()
        if not is_text or not 0 < len(subject) <= MOST_SUBJECT:
            raise ValueError("the subject is none that can be kept")
        return claims, self._find_email(claims, token)

    def check(self) -> None:
        """Ask it anew, for whoever wants to know what is wrong. Raises ProviderError."""
        try:
            with time_limit(ALL_SECONDS):
                self.read_anew()
        except (RequestException, TimeIsUp, ValueError, TypeError) as error:
            raise ProviderError(_explain(error)) from error

    def save_authorize_data(self, **data: Any) -> None:
        """Without the address, which is long; of many ways begun at once, the last few."""
        data.pop("url", None)
        prefix = f"_state_{self.name}_"
        ways = [key for key in session if str(key).startswith(prefix)]
        ways.sort(key=lambda key: session[key].get("exp", 0))
        for key in ways[: len(ways) + 1 - MOST_WAYS]:
            session.pop(key)
        super().save_authorize_data(**data)

    def _refuse_fault(self) -> None:
        """What the provider says in place of a code; its own words only where they are known."""
        fault = request.args.get("error")
        if not fault:
            return
        words = request.args.get("error_description", "")
        logger.warning("The sign-in provider refuses: %.60r: %.300r", fault, words)
        said = f" It says: {fault}." if fault in _TOLD_FAULTS else ""
        raise ProblemError(REFUSED, f"{provider_name()} has signed nobody in.{said}")

    def _refuse_other_issuer(self) -> None:
        """Raises ValueError for an answer that is another issuer's (RFC 9207)."""
        told = request.args.get("iss")
        is_told = self.load_server_metadata().get("authorization_response_iss_parameter_supported")
        if (told or is_told) and told != self.issuer:
            raise ValueError("the answer is of another issuer")

    def _find_email(self, claims: dict[str, Any], token: dict[str, Any]) -> dict[str, Any]:
        """Where address and name stand: in the ID token or, where it tells no address, in the user
        info (OpenID Connect Core 1.0, 5.3). Never a part of both: one place vouches for its own."""
        if "email" in claims or not self.server_metadata.get("userinfo_endpoint"):
            return claims
        more: dict[str, Any] = self.userinfo(token=token)
        if more.get("sub") != claims["sub"]:
            raise ValueError("the user info is somebody else's")
        return more

    def _find_proof(self, claims: Mapping[str, Any], away: timedelta) -> timedelta | None:
        """Of a provider that tells no times, the way there is all that can be known."""
        at = claims.get("auth_time")
        if isinstance(at, int | float) and not isinstance(at, bool) and at >= 0:
            return timedelta(seconds=max(0.0, timestamp() - at))
        return None if self.tells_times() else away


def _explain(error: BaseException) -> str:
    """Without the addresses and objects that the libraries put into their messages."""
    if isinstance(error, HTTPError) and error.response is not None:
        return f"it answers {error.response.status_code}"
    return next((words for kind, words in _FAULTS if isinstance(error, kind)), str(error))


def _read_email(told: Mapping[str, Any], verified_claim: str) -> str:
    checked = told.get(verified_claim)
    is_checked = checked is True or checked in (1, "1", "true")
    return _read_text(told, "email") if is_checked else ""


def _read_text(told: Mapping[str, Any], name: str) -> str:
    value = told.get(name)
    return value if isinstance(value, str) else ""


@contextmanager
def asking() -> Iterator[None]:
    """Raises ProblemError for whatever goes wrong between the provider and us."""
    try:
        with time_limit(ALL_SECONDS):
            yield
    except (RequestException, TimeIsUp) as error:
        logger.warning("The sign-in provider can't be reached: %r", error)
        raise ProblemError(
            PROVIDER_UNREACHABLE,
            f"{provider_name()} gives no answer just now. Try again in a minute.",
        ) from error
    except (AuthlibBaseError, JoseError, *_ODD_ANSWERS) as error:
        logger.warning("The sign-in provider's answer can't be used: %r", error)
        text = f"What {provider_name()} has answered can't be used, so nobody was signed in."
        raise ProblemError(ODD, text) from error


def make_provider(app: Flask) -> Provider:
    """From the settings; nothing is asked yet."""
    config = app.config
    oauth = OAuth(app)
    made: Provider = oauth.register(
        NAME,
        client_cls=Provider,
        client_id=config["FLOWPULSE_OIDC_CLIENT_ID"],
        client_secret=config["FLOWPULSE_OIDC_CLIENT_SECRET"],
        user_agent="FlowPulse",
        client_kwargs={
            "scope": SCOPE,
            "code_challenge_method": "S256",
            "default_timeout": ANSWER_SECONDS,
            "max_redirects": 0,
        },
    )
    made.issuer = config[ISSUER]
    made.verified_claim = config["FLOWPULSE_OIDC_VERIFIED_CLAIM"]
    return made
