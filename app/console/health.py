"""Whether the server answers and has its database: for load balancers, supervisors and people."""

from flask import Blueprint, Response, jsonify
from sqlalchemy import select

from app.extensions import db
from app.ingest.service import ingest_service
from app.problems import ProblemError

blueprint = Blueprint("health", __name__)


@blueprint.get("/healthz")
def show_health() -> Response:
    """200, or 503 from the errors' door where the database can't be read, or where this machine has
    another secret key than the rest: a load balancer leaves it out."""
    db.session.scalar(select(1))
    if ingest_service().secret.is_foreign():
        raise ProblemError("unavailable")
    return jsonify(status="ok")
