"""Maintenance windows: the list, a form for a new one, and ending one."""

from datetime import timedelta
from zoneinfo import ZoneInfo

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy import select

from app.alerting.quiet import window_at
from app.clock import now
from app.console.guards import current_workspace, signed_in_user
from app.console.paging import Paged
from app.extensions import db
from app.models import MaintenanceWindow
from app.workspaces.alert_scopes import list_scopes
from app.workspaces.maintenance import create_window, end_window, list_windows
from app.workspaces.people import RefusedError
from app.workspaces.profile import time_zones

PAGE_SIZE = 15

blueprint = Blueprint("maintenance", __name__)


@blueprint.get("/alerts/maintenance")
def show_windows() -> str:
    return _show({})


@blueprint.post("/alerts/maintenance")
def add_window() -> ResponseReturnValue:
    try:
        window = create_window(current_workspace().id, request.form, signed_in_user())
    except RefusedError as error:
        return _show({error.field: [str(error)]}), 422
    flash(f"The window “{window.name}” is set.", "success")
    return redirect(url_for("maintenance.show_windows"), 303)


@blueprint.post("/alerts/maintenance/<public_id:public_id>/delete")
def delete_window(public_id: str) -> ResponseReturnValue:
    window = db.session.scalar(
        select(MaintenanceWindow).where(
            MaintenanceWindow.public_id == public_id,
            MaintenanceWindow.workspace_id == current_workspace().id,
        )
    )
    if window is None:
        abort(404, "There is no such window in this workspace.")
    name = window.name
    end_window(window)
    flash(f"The window “{name}” is deleted.", "success")
    return redirect(url_for("maintenance.show_windows"), 303)


def state_of(window: MaintenanceWindow) -> str:
    """`now`, `planned`, `weekly` or `over`."""
    moment = now()
    if window_at(window, moment) is not None:
        return "now"
    if window.is_weekly:
        return "weekly"
    return "planned" if window.starts_at > moment else "over"


def _show(errors: dict[str, list[str]]) -> str:
    workspace_id = current_workspace().id
    zone = signed_in_user().time_zone or "UTC"
    local = now().astimezone(ZoneInfo(zone)).replace(second=0, microsecond=0, tzinfo=None)
    usual = {
        "scope": "all",
        "starts": local.isoformat(timespec="minutes"),
        "ends": (local + timedelta(hours=2)).isoformat(timespec="minutes"),
        "zone": zone,
    }
    every = list_windows(workspace_id)
    paged = Paged(len(every), PAGE_SIZE, "maintenance.show_windows")
    return render_template(
        "console/maintenance.html",
        windows=[(window, state_of(window)) for window in every[paged.part]],
        paged=paged,
        scopes=list_scopes(workspace_id),
        zones=time_zones(),
        form=request.form if errors else usual,
        errors=errors,
    )
