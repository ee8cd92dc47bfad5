"""Who comes past the proxy chooses neither an address nor a host, on pages or with events."""

from collections.abc import Callable

import pytest
from flask import Flask
from sqlalchemy import select

from app.extensions import db
from app.models import AuditEntry, Event
from tests.console.pages import Page
from tests.factories import PASSWORD, Team

PUBLIC = "https://flow.example.org"
CLIENT = "198.51.100.7"
HOSTILE = "203.0.113.66"


def refused_sign_in(app: Flask, peer: str, email: str, told: str) -> int:
    environ = {"REMOTE_ADDR": peer}
    headers = {"X-Forwarded-For": told}
    client = app.test_client()
    page = Page(client.get("/sign-in", environ_overrides=environ, headers=headers).text)
    data = {**page.form("/sign-in").fields, "email": email, "password": f"not {PASSWORD}"}
    answer = client.post("/sign-in", data=data, environ_overrides=environ, headers=headers)
    return answer.status_code


@pytest.mark.parametrize("setting", ["1", "10.0.0.0/8"])
def test_past_the_proxy_nobody_chooses_the_address_of_limits_and_audit_log(
    make_app: Callable[..., Flask], team: Team, setting: str
) -> None:
    app = make_app(FLOWPULSE_TRUSTED_PROXIES=setting)
    tried = [
        refused_sign_in(app, HOSTILE, f"{number}@example.org", f"198.51.100.{number}")
        for number in range(11)
    ]
    assert tried == [422] * 10 + [429]
    assert refused_sign_in(app, "10.0.0.1", team.email, f"{HOSTILE}, {CLIENT}") == 422
    refused = select(AuditEntry.remote_addr).where(AuditEntry.what == "sign_in_refused")
    told = db.session.scalars(refused.order_by(AuditEntry.id)).all()
    assert told == [HOSTILE] * 10 + [CLIENT]


def test_past_the_proxy_nobody_chooses_the_host(make_app: Callable[..., Flask], team: Team) -> None:
    app = make_app(FLOWPULSE_PUBLIC_URL=PUBLIC, FLOWPULSE_TRUSTED_PROXIES="10.0.0.1")
    headers = {"Host": "web:8000", "X-Forwarded-Host": "flow.example.org"}
    for peer, status in (("10.0.0.1", 200), ("10.0.0.2", 421), (HOSTILE, 421)):
        environ = {"REMOTE_ADDR": peer}
        answer = app.test_client().get("/sign-in", headers=headers, environ_overrides=environ)
        assert answer.status_code == status, peer


def test_an_event_has_the_address_that_a_page_would_see(
    make_app: Callable[..., Flask], team: Team
) -> None:
    """It is answered past Flask."""
    app = make_app(FLOWPULSE_TRUSTED_PROXIES="10.0.0.0/8")
    sent = {"workflow_slug": team.slug, "ended_at": "2026-01-15T09:31:00Z"}
    for peer, told in (("10.0.0.1", CLIENT), (HOSTILE, HOSTILE)):
        answer = app.test_client().post(
            "/api/v1/ingest/run-success",
            json=sent,
            headers={**team.headers, "X-Forwarded-For": f"192.0.2.9, {CLIENT}"},
            environ_overrides={"REMOTE_ADDR": peer},
        )
        assert answer.status_code == 202
        newest = select(Event.remote_addr).order_by(Event.id.desc()).limit(1)
        assert db.session.scalar(newest) == told
