"""The doctor's check of secret addresses, as other monitors have them."""

from flask import current_app
from sqlalchemy import func, select

from app.clock import now
from app.doctor.findings import Finding
from app.extensions import db
from app.models import ADDRESS, ApiKey, Workspace


def check_addresses() -> Finding:
    """Whoever made one, or brought it along, means it to be answered."""
    name, is_answered = "addresses", bool(current_app.config["FLOWPULSE_COMPATIBILITY"])
    count = _count_live()
    if count and not is_answered:
        has = "address is" if count == 1 else "addresses are"
        return Finding(
            name,
            "warn",
            f"{count:,} {has} there, and FLOWPULSE_COMPATIBILITY is off: pings to them are "
            "answered with 404 and not kept.",
            "Set FLOWPULSE_COMPATIBILITY=1 and restart the web server; or revoke them under API "
            "keys.",
        )
    if is_answered:
        return Finding(name, "ok", f"Pings as of other monitors are taken; {count:,} in use.")
    return Finding(name, "ok", "There are none; pings as of other monitors are not taken.")


def _count_live() -> int:
    live = ApiKey.expires_at.is_(None) | (ApiKey.expires_at > now())
    query = select(func.count(ApiKey.id)).join(Workspace, Workspace.id == ApiKey.workspace_id)
    query = query.where(ApiKey.scopes == ADDRESS, ApiKey.revoked_at.is_(None), live)
    return db.session.scalar(query.where(Workspace.deleted_at.is_(None))) or 0
