"""Whether the server answers and has its database: for load balancers, supervisors and people."""

from flask import Blueprint, Response, jsonify
from sqlalchemy import select

from app.extensions import db

blueprint = Blueprint("health", __name__)


@blueprint.get("/healthz")
def show_health() -> Response:
    """200, or 503 from the errors' door where the database can't be read."""
    db.session.scalar(select(1))
    return jsonify(status="ok")
