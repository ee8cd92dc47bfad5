"""Figures for Prometheus, in its text format 0.0.4, for who has the token."""

import hmac
from collections.abc import Iterable

from flask import Blueprint, Flask, Response, current_app, request
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from app.answers import PROBLEM_JSON, JsonAnswer
from app.console.metric_families import list_families
from app.doctor.probing import FAILURES, Probe
from app.problem_documents import describe_problem
from app.problems import ProblemError

WAIT_SECONDS = 8.0
"""Below the 10 s that Prometheus waits unless told otherwise."""
NAME, SCHEME = "FLOWPULSE_METRICS_TOKEN", "bearer"

blueprint = Blueprint("metrics", __name__)


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
        return _refuse(ProblemError("metrics_off"))
    scheme, _, given = request.headers.get("Authorization", "").partition(" ")
    is_right = hmac.compare_digest(given.strip().encode(), token.encode())
    if scheme.lower() != SCHEME or not is_right:
        return _refuse(ProblemError("metrics_refused", headers={"WWW-Authenticate": "Bearer"}))
    probe: Probe[list[Metric]] = current_app.extensions["flowpulse_metrics"]
    try:
        families = probe.ask(WAIT_SECONDS)
    except (TimeoutError, *FAILURES):
        return _refuse(ProblemError("unavailable", headers={"Retry-After": "5"}))
    text = generate_latest(_Collected(families))
    return Response(text, content_type=CONTENT_TYPE_PLAIN_0_0_4)


def _refuse(problem: ProblemError) -> Response:
    document = describe_problem(problem, None)
    return JsonAnswer(document, problem.status, PROBLEM_JSON, problem.headers)
