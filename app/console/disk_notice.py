"""The banner that the disk is nearly full, or is: on each page, before reports are refused."""

from typing import NamedTuple

from flask import url_for
from flask_login import current_user

from app.console.formatting import size
from app.console.guards import signed_in_user
from app.doctor.database_disk import look_at_disk
from app.outages import was_disk_full
from app.processing.disk_space import Disk
from app.workspaces.people import is_instance_owner

REMEMBERED_SECONDS = 60
ROW = "disk_nearly_full"
"""Of the troubleshooting table."""


class Notice(NamedTuple):
    """`link` is where it says what to do, for who can do it."""

    tone: str
    title: str
    text: str
    link: str | None


def find_disk_notice() -> Notice | None:
    """For who is signed in; the server's owner also sees where, and how much is left."""
    if not current_user.is_authenticated:
        return None
    disk = look_at_disk()
    is_full = was_disk_full(REMEMBERED_SECONDS) or (disk is not None and disk.is_full)
    if not is_full and not (disk and disk.is_low):
        return None
    if is_full:
        tone, title = "red", "The disk is full."
        text = "Reports are refused until there is space again. What is stored can be read."
    else:
        tone, title = "amber", "The disk is nearly full."
        text = "When it is full, reports are refused."
    if not is_instance_owner(signed_in_user()):
        return Notice(tone, title, f"{text} Tell whoever runs this server.", None)
    link = url_for("troubleshooting.show_table", _anchor=ROW)
    return Notice(tone, title, f"{text}{_describe(disk, is_full)}", link)


def _describe(disk: Disk | None, is_full: bool) -> str:
    if disk is None or (is_full and disk.folder is None):
        return " It is the disk of the PostgreSQL server."
    return f" {size(disk.free)} of {size(disk.total)} are left {disk.place}."
