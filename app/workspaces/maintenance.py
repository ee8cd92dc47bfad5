"""Maintenance windows: times in which alerts are recorded and not told."""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import select
from werkzeug.datastructures import MultiDict

from app.alerting.quiet import instants_of
from app.alerting.telling import look_again
from app.clock import now
from app.extensions import db, writing
from app.models import Alert, MaintenanceWindow, User
from app.workspaces.alert_scopes import ALL, read_scope
from app.workspaces.audit import note
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
    """Times are those of a clock on the wall in the zone; where it shows one twice, the window
    holds both. Raises RefusedError."""
    zone = form.get("zone", "").strip() or "UTC"
    if not is_time_zone(zone):
        raise RefusedError("zone", "Choose a time zone from the list.")
    name = clean_field("name", form.get("name", ""), 120)
    scope = read_scope(workspace_id, form.get("scope", ALL))
    begin = _read_time("starts", form.get("starts", ""), zone)
    end = _read_time("ends", form.get("ends", ""), zone)
    starts_at, _ = instants_of(begin, ZoneInfo(zone))
    _, ends_at = instants_of(end, ZoneInfo(zone))
    is_weekly = "is_weekly" in form
    # Each turn of a weekly one has these times of the wall, on whatever day.
    if ends_at <= starts_at or (is_weekly and end <= begin):
        raise RefusedError("ends", "The end must lie after the begin.")
    _refuse_odd(end - begin, ends_at, is_weekly)
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
        span = {"starts": starts_at, "ends": ends_at, "weekly": is_weekly or None}
        note(session, "window_created", workspace_id, window, span)
    return window


def end_window(window: MaintenanceWindow) -> None:
    """Delete it; what is found from now on is told, and what is silent or stuck."""
    workspace_id = window.workspace_id
    with writing() as session:
        note(session, "window_deleted", workspace_id, window)
        session.delete(window)
        look_again(session, Alert.workspace_id == workspace_id, now())


def _read_time(field: str, text: str, zone: str) -> datetime:
    """What the clock on the wall shows, without a zone.

    A time that it skips is refused: of the moment alone that is stored, nobody could tell later
    what the turns of a weekly window go by.
    """
    try:
        wall = datetime.fromisoformat(text.strip())
    except ValueError as error:
        raise RefusedError(field, "Enter a day and a time, such as 2027-01-31T22:00.") from error
    if wall.tzinfo is not None or not 2000 <= wall.year < 2200:
        raise RefusedError(field, "Enter a day and a time, such as 2027-01-31T22:00.")
    moment, _ = instants_of(wall, ZoneInfo(zone))
    if moment.astimezone(ZoneInfo(zone)).replace(tzinfo=None) != wall:
        raise RefusedError(
            field,
            f"{wall:%H:%M} does not exist on {wall.day} {wall:%b %Y} in {zone}: the clock is set "
            "forward then.",
        )
    return wall


def _refuse_odd(length: timedelta, ends_at: datetime, is_weekly: bool) -> None:
    longest = LONGEST_WEEKLY if is_weekly else LONGEST
    if length > longest:
        raise RefusedError("ends", f"A window lasts {longest.days} days at most.")
    if ends_at <= now() and not is_weekly:
        raise RefusedError("ends", "This window is over already.")
