"""What a provider says of itself: asked by one request at a time, kept while it is away."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from flask import Flask
from requests.exceptions import ConnectionError

from app.oidc.provider import Provider, _read_email, asking, make_provider
from app.problems import ProblemError

pytestmark = pytest.mark.once
ISSUER = "https://id.example.org"
TOLD = {
    "issuer": ISSUER,
    "authorization_endpoint": f"{ISSUER}/a",
    "token_endpoint": f"{ISSUER}/t",
    "jwks_uri": f"{ISSUER}/k",
}


class Asked:
    """Stands in for the provider."""

    def __init__(self, provider: Provider) -> None:
        self.provider, self.times, self.is_away = provider, 0, False

    def __call__(self) -> None:
        self.times += 1
        time.sleep(0.02)  # Long enough for the others to come.
        if self.is_away:
            raise ConnectionError
        self.provider.server_metadata = {**TOLD, "at": self.times}
        self.provider._read_at, self.provider._failure = time.time(), None


@pytest.fixture
def provider(app: Flask) -> Provider:
    app.config["FLOWPULSE_OIDC_ISSUER"] = ISSUER
    return make_provider(app)


@pytest.fixture
def asked(provider: Provider, monkeypatch: pytest.MonkeyPatch) -> Asked:
    asked = Asked(provider)
    monkeypatch.setattr(provider, "read_anew", asked)
    return asked


def load_at_once(load: Callable[[], object]) -> list[BaseException | None]:
    with ThreadPoolExecutor(4) as pool:
        return [each.exception() for each in [pool.submit(load) for _ in range(4)]]


def test_one_request_asks_for_all(provider: Provider, asked: Asked) -> None:
    assert load_at_once(provider.load_server_metadata) == [None] * 4
    assert asked.times == 1


def test_a_failure_is_remembered_for_a_moment(provider: Provider, asked: Asked) -> None:
    asked.is_away = True
    assert all(
        isinstance(each, ConnectionError) for each in load_at_once(provider.load_server_metadata)
    )
    assert asked.times == 1
    provider._failed_at -= 11
    asked.is_away = False
    assert provider.load_server_metadata()["at"] == 2


def test_what_it_said_before_stays_good_while_it_is_away(provider: Provider, asked: Asked) -> None:
    provider.load_server_metadata()
    provider._read_at -= 4000
    asked.is_away = True
    assert load_at_once(provider.load_server_metadata) == [None] * 4
    assert asked.times == 2 and provider.server_metadata["at"] == 1
    provider._failed_at -= 11
    asked.is_away = False
    assert provider.load_server_metadata()["at"] == 3


def test_what_is_of_another_kind_counts_as_not_told(provider: Provider) -> None:
    odd = {"claims_supported": 5, "userinfo_endpoint": ["https://evil.example"]}
    kept = provider._fit({**TOLD, **odd})
    assert not kept.keys() & odd.keys()
    for value in (7, ["https://id.example.org/k"], {"a": 1}, True):
        with pytest.raises(ValueError, match="too few"):
            provider._fit({**TOLD, "jwks_uri": value})
    told = {"email": ["ana@example.org"], "email_verified": True}
    assert _read_email(told, "email_verified") == ""
    with pytest.raises(ProblemError), asking():
        _ = object().missing  # type: ignore[attr-defined]
