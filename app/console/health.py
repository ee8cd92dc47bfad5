"""Whether the server answers and has its database: for load balancers, supervisors and people."""

from flask import Blueprint, Response, jsonify
from sqlalchemy import select

from app.console.disk_notice import REMEMBERED_SECONDS
from app.extensions import db
from app.ingest.service import ingest_service
from app.outages import was_disk_full
from app.problems import ProblemError
from app.processing.disk_space import look_at_disk

blueprint = Blueprint("health", __name__)


@blueprint.get("/healthz")
def show_health() -> Response:
    """200, or 503 from the errors' door where the database can't be read, or where this machine has
    another secret key than the rest: a load balancer leaves it out. A disk that is `low` or `full`
    is told beside: pages can be read all the same."""
    db.session.scalar(select(1))
    if ingest_service().secret.is_foreign():
        raise ProblemError("unavailable")
    return jsonify(status="ok", **_describe_disk())


def _describe_disk() -> dict[str, str]:
    disk = look_at_disk()
    if was_disk_full(REMEMBERED_SECONDS) or (disk is not None and disk.is_full):
        return {"disk": "full"}
    return {"disk": "low"} if disk is not None and disk.is_low else {}
