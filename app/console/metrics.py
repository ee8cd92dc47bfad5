"""Figures for Prometheus, in its text format 0.0.4, for who has the token."""

import hmac
from collections.abc import Iterable
from typing import NamedTuple

from flask import Blueprint, Flask, Response, current_app, request
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from app.answers import PROBLEM_JSON, JsonAnswer
from app.console.metric_families import list_families
from app.doctor.probing import FAILURES, Probe

WAIT_SECONDS = 8.0
"""Below the 10 s that Prometheus waits unless told otherwise."""
NAME, SCHEME = "FLOWPULSE_METRICS_TOKEN", "bearer"

blueprint = Blueprint("metrics", __name__)


class Refusal(NamedTuple):
    """An answer to Prometheus (RFC 9457): no sender meets it, so that it is in no table."""

    code: str
    status: int
    title: str
    detail: str
    headers: dict[str, str]


OFF = Refusal(
    "metrics_off",
    404,
    "There are no metrics",
    f"Set {NAME} to a secret of at least 16 characters, restart the web server, and give "
    "Prometheus the same as authorization.credentials.",
    {},
)
REFUSED = Refusal(
    "metrics_refused",
    401,
    "The metrics need their token",
    f"Send {NAME} as Authorization: Bearer followed by the token; in Prometheus, as "
    "authorization.credentials. An API key opens no metrics.",
    {"WWW-Authenticate": "Bearer"},
)
AWAY = Refusal(
    "unavailable",
    503,
    "The database can't be used just now",
    "It did not tell the figures in time. /readyz says more.",
    {"Retry-After": "5"},
)


class _Collected(Collector):
    """What was read of the database, for the library that writes it down."""

    def __init__(self, families: Iterable[Metric]) -> None:
        self._families = families

    def collect(self) -> Iterable[Metric]:
        return self._families


def init_metrics(app: Flask) -> None:
    app.extensions["flowpulse_metrics"] = Probe(app, list_families)


@blueprint.get("/metrics")
def show_metrics() -> Response:
    """503 where the database does not tell within WAIT_SECONDS."""
    token: str = current_app.config[NAME]
    if not token:
        return _refuse(OFF)
    scheme, _, given = request.headers.get("Authorization", "").partition(" ")
    is_right = hmac.compare_digest(given.strip().encode(), token.encode())
    if scheme.lower() != SCHEME or not is_right:
        return _refuse(REFUSED)
    probe: Probe[list[Metric]] = current_app.extensions["flowpulse_metrics"]
    try:
        families = probe.ask(WAIT_SECONDS)
    except (TimeoutError, *FAILURES):
        return _refuse(AWAY)
    text = generate_latest(_Collected(families))
    return Response(text, content_type=CONTENT_TYPE_PLAIN_0_0_4)


def _refuse(refusal: Refusal) -> Response:
    document = {"type": "about:blank", **refusal._asdict()}
    headers = document.pop("headers")
    return JsonAnswer(document, refusal.status, PROBLEM_JSON, headers)
