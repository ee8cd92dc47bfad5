"""Mails without a channel: the log of weekly digests and notices, for admins."""

from collections.abc import Iterable

from flask import Blueprint, render_template, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy import select
from sqlalchemy.orm import joinedload

from app.channels.weekly import ID_PREFIX
from app.console.channel import load_deliveries
from app.console.guards import current_workspace
from app.console.kept import kept_since
from app.console.key_pages import find_id_page
from app.extensions import db
from app.models import Delivery, Membership, User
from app.workspaces.mails import select_mails

PAGE_SIZE = 25

blueprint = Blueprint("mails", __name__)


@blueprint.get("/alerts/mails")
def show_mails() -> ResponseReturnValue:
    query = select_mails(current_workspace().id)
    page = find_id_page(query, Delivery.id, PAGE_SIZE, "a mail")
    mails = load_deliveries(page.keys)
    oldest = query.options(joinedload(Delivery.message)).order_by(Delivery.id).limit(1)
    first = db.session.scalar(oldest)
    return render_template(
        "console/mails.html",
        mails=mails,
        names=name_mails(mails),
        page=page,
        page_url=lambda **place: url_for("mails.show_mails", **place),
        unreadable=page.mistakes,
        kept=kept_since("delivery", first.message.created_at if first else None),
    ), page.status


def name_mails(mails: Iterable[Delivery]) -> dict[int, str]:
    """By the delivery's id: `Weekly digest to Ana`, or `E-mail to bo@example.org`."""
    people = db.session.execute(
        select(User.email, User.name)
        .join(Membership, Membership.user_id == User.id)
        .where(Membership.workspace_id == current_workspace().id)
    )
    known: dict[str | None, str] = {email: name for email, name in people if name}
    return {each.id: _name(each, known.get(each.recipient, "")) for each in mails}


def _name(mail: Delivery, person: str) -> str:
    what = "Weekly digest" if mail.message.message_id.startswith(ID_PREFIX) else "E-mail"
    return f"{what} to {person or mail.recipient}"
