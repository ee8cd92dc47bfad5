"""Mails without a channel: the log of weekly digests and notices, for admins."""

from collections.abc import Iterable

from flask import Blueprint, render_template
from sqlalchemy import func, select
from sqlalchemy.orm import joinedload

from app.channels.weekly import ID_PREFIX
from app.console.guards import current_workspace
from app.console.kept import kept_since
from app.console.paging import Paged
from app.extensions import db
from app.models import Delivery, Membership, OutboxMessage, User
from app.workspaces.mails import select_mails

PAGE_SIZE = 25

blueprint = Blueprint("mails", __name__)


@blueprint.get("/alerts/mails")
def show_mails() -> str:
    query = select_mails(current_workspace().id)
    count = db.session.scalar(query.with_only_columns(func.count())) or 0
    paged = Paged(count, PAGE_SIZE, "mails.show_mails")
    newest = query.options(joinedload(Delivery.message)).order_by(Delivery.id.desc())
    mails = db.session.scalars(newest.offset(paged.start).limit(PAGE_SIZE)).all()
    oldest = query.with_only_columns(OutboxMessage.created_at).order_by(Delivery.id)
    return render_template(
        "console/mails.html",
        mails=mails,
        names=name_mails(mails),
        paged=paged,
        kept=kept_since("delivery", db.session.scalar(oldest.limit(1))),
    )


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
