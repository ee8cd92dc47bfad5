"""Maintenance windows: times in which alerts are recorded and not told."""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import select
from werkzeug.datastructures import MultiDict

from app.alerting.telling import look_again
from app.clock import now
from app.extensions import db, writing
from app.models import Alert, MaintenanceWindow, User
from app.workspaces.alert_scopes import ALL, read_scope
from app.workspaces.people import RefusedError, clean_field
from app.workspaces.profile import is_time_zone

LONGEST = timedelta(days=90)
LONGEST_WEEKLY = timedelta(days=7)
MOST_WINDOWS = 100


def list_windows(workspace_id: int) -> list[MaintenanceWindow]:
    """Those that are or will be, and the weekly ones; then those that are over."""
    query = select(MaintenanceWindow).where(MaintenanceWindow.workspace_id == workspace_id)
    windows = db.session.scalars(query.order_by(MaintenanceWindow.starts_at)).all()
    return sorted(windows, key=lambda window: not window.is_weekly and window.ends_at <= now())


def create_window(
    workspace_id: int, form: MultiDict[str, str], created_by: User
) -> MaintenanceWindow:
    """Times are those of a clock on the wall in the zone. Raises RefusedError."""
    zone = form.get("zone", "").strip() or "UTC"
    if not is_time_zone(zone):
        raise RefusedError("zone", "Choose a time zone from the list.")
    name = clean_field("name", form.get("name", ""), 120)
    scope = read_scope(workspace_id, form.get("scope", ALL))
    starts_at = _read_time("starts", form.get("starts", ""), zone)
    ends_at = _read_time("ends", form.get("ends", ""), zone)
    is_weekly = "is_weekly" in form
    _refuse_odd(starts_at, ends_at, is_weekly)
    window = MaintenanceWindow(
        workspace_id=workspace_id,
        name=name,
        workflow_id=scope.workflow_id,
        label=scope.label,
        starts_at=starts_at,
        ends_at=ends_at,
        is_weekly=is_weekly,
        zone=zone,
        created_by_id=created_by.id,
    )
    with writing() as session:
        ids = select(MaintenanceWindow.id).where(MaintenanceWindow.workspace_id == workspace_id)
        if len(session.scalars(ids.limit(MOST_WINDOWS)).all()) >= MOST_WINDOWS:
            raise RefusedError("name", f"There are {MOST_WINDOWS} windows. Delete one first.")
        session.add(window)
    return window


def end_window(window: MaintenanceWindow) -> None:
    """Delete it; what is found from now on is told, and what is silent or stuck."""
    workspace_id = window.workspace_id
    with writing() as session:
        session.delete(window)
        look_again(session, Alert.workspace_id == workspace_id, now())


def _read_time(field: str, text: str, zone: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError as error:
        raise RefusedError(field, "Enter a day and a time, such as 2027-01-31T22:00.") from error
    if moment.tzinfo is not None or not 2000 <= moment.year < 2200:
        raise RefusedError(field, "Enter a day and a time, such as 2027-01-31T22:00.")
    return moment.replace(tzinfo=ZoneInfo(zone))


def _refuse_odd(starts_at: datetime, ends_at: datetime, is_weekly: bool) -> None:
    longest = LONGEST_WEEKLY if is_weekly else LONGEST
    if ends_at <= starts_at:
        raise RefusedError("ends", "The end must lie after the begin.")
    if ends_at - starts_at > longest:
        raise RefusedError("ends", f"A window lasts {longest.days} days at most.")
    if ends_at <= now() and not is_weekly:
        raise RefusedError("ends", "This window is over already.")
