"""Addresses as people outside see them."""

from flask import current_app, request


def public_url(path: str = "") -> str:
    """The full address of a path, from FLOWPULSE_PUBLIC_URL or, without it, the request's own."""
    base: str = current_app.config["FLOWPULSE_PUBLIC_URL"] or request.host_url.rstrip("/")
    return base + path
