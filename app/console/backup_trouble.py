"""That the backup which FlowPulse makes by itself has failed, for who owns the server."""

from flask import url_for

from app.console.attention_lines import Line, Situation
from app.console.guards import signed_in_user
from app.extensions import db
from app.models import BackupTurn
from app.workspaces.people import is_instance_owner


def look_at_backups(situation: Situation) -> list[Line]:
    """Of the whole server: for who owns it."""
    turn = db.session.get(BackupTurn, 1)
    if turn is None or not turn.problem or not is_instance_owner(signed_in_user()):
        return []
    link = ("What to do", url_for("doctor.show_doctor"))
    text = f"{turn.problem} It is tried again each hour"
    title = "The scheduled backup failed"
    return [Line("backup", "red", "server", title, text, link, turn.finished_at)]
