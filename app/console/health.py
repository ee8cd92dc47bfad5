"""Whether the server answers and can do its work: for load balancers, supervisors and people."""

from dataclasses import asdict

from flask import Blueprint, Flask, Response, current_app, jsonify

from app.console.disk_notice import REMEMBERED_SECONDS
from app.doctor.database_disk import DiskWatch, look_at_disk
from app.doctor.findings import Finding
from app.doctor.probing import FAILURES, Probe
from app.doctor.readiness import AWAY, HANGS, MEND, examine, lost, read_revision
from app.ingest.service import ingest_service
from app.ingest.store import AwayError
from app.outages import was_disk_full

WAIT_SECONDS = 3.0
"""Below the 4 s that deploy/healthy.py waits, and the 5 s or so of most load balancers."""
FOREIGN = "This machine has another secret key than the database's API keys need."

LOST = (*FAILURES, AwayError)

blueprint = Blueprint("health", __name__)


def init_health(app: Flask) -> None:
    app.extensions["flowpulse_health"] = Probe(app, _look_at_health)
    app.extensions["flowpulse_readiness"] = Probe(app, examine)
    app.extensions["flowpulse_disk"] = DiskWatch(app)


@blueprint.get("/healthz")
def show_health() -> Response:
    """200, or 503 where the database can't be read within WAIT_SECONDS, or where this machine has
    another secret key than the rest: a load balancer leaves it out. A disk that is `low` or `full`
    is told beside: pages can be read all the same."""
    probe: Probe[str | None] = current_app.extensions["flowpulse_health"]
    try:
        problem = probe.ask(WAIT_SECONDS)
    except TimeoutError:
        problem = f"The database: {HANGS.format(seconds=WAIT_SECONDS)}"
    except LOST:
        problem = f"The database: {AWAY}"
    if problem is None:
        return jsonify(status="ok", **_describe_disk())
    return _refuse({"status": "fail", "message": problem, "fix": MEND})


@blueprint.get("/readyz")
def show_readiness() -> Response:
    """200 where all is well, else 503; each check with its state and, where it fails, its fix."""
    probe: Probe[list[Finding]] = current_app.extensions["flowpulse_readiness"]
    try:
        findings = probe.ask(WAIT_SECONDS)
    except TimeoutError:
        findings = lost(HANGS.format(seconds=WAIT_SECONDS))
    except LOST:
        findings = lost(AWAY)
    checks = [asdict(finding) for finding in findings]
    if all(finding.state == "ok" for finding in findings):
        return jsonify(status="ok", checks=checks)
    return _refuse({"status": "fail", "checks": checks})


def _look_at_health() -> str | None:
    """What is wrong; raises LOST."""
    read_revision()
    return FOREIGN if ingest_service().secret.is_foreign() else None


def _refuse(document: dict[str, object]) -> Response:
    answer = jsonify(document)
    answer.status_code = 503
    answer.headers["Retry-After"] = "5"
    return answer


def _describe_disk() -> dict[str, str]:
    disk = look_at_disk()
    if was_disk_full(REMEMBERED_SECONDS) or (disk is not None and disk.is_full):
        return {"disk": "full"}
    return {"disk": "low"} if disk is not None and disk.is_low else {}
