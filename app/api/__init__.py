"""The reading API."""

from flask import Flask

from app.api.routes import blueprint, public_blueprint


def init_api(app: Flask) -> None:
    """Register the reading endpoints."""
    app.register_blueprint(blueprint)
    app.register_blueprint(public_blueprint)
