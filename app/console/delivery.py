"""One delivery: the message, each try with what was answered, and trying again."""

from flask import Blueprint, abort, flash, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy import select

from app.console.access import ACCESS
from app.console.guards import current_workspace, may
from app.console.mails import name_mails
from app.extensions import db
from app.models import Delivery, DeliveryAttempt
from app.workspaces.channels import find_delivery, is_leased, reopens_incident, try_again

MOST_TRIES = 20
"""The newest ones; each may hold 2 KB of an answer."""
ENDED = "Its alert has ended: sent now, it would open an incident that nothing resolves."

blueprint = Blueprint("delivery", __name__)


@blueprint.get("/alerts/deliveries/<public_id:public_id>")
def show_delivery(public_id: str) -> str:
    delivery = _find(public_id)
    tries = select(DeliveryAttempt).where(DeliveryAttempt.delivery_id == delivery.id)
    newest = tries.order_by(DeliveryAttempt.id.desc()).limit(MOST_TRIES)
    return render_template(
        "console/delivery.html",
        delivery=delivery,
        message=delivery.message,
        channel=delivery.channel,
        way=_describe_way(delivery),
        tries=db.session.scalars(newest).all(),
        is_under_way=is_leased(delivery),
        ended=ENDED if delivery.state != "delivered" and reopens_incident(delivery) else "",
    )


@blueprint.post("/alerts/deliveries/<public_id:public_id>/again")
def send_again(public_id: str) -> ResponseReturnValue:
    delivery = _find(public_id)
    if delivery.channel is not None and delivery.channel.disabled_at is not None:
        flash("This channel is switched off. Switch it on first.", "error")
    elif reopens_incident(delivery):
        flash(ENDED, "error")
    else:
        try_again(delivery)
        flash(
            "It is sent within a second or two. Reload the page to see what came of it.", "message"
        )
    return redirect(url_for("delivery.show_delivery", public_id=public_id), 303)


def _describe_way(delivery: Delivery) -> tuple[str, str]:
    """Its name, and the page of its log."""
    channel = delivery.channel
    if channel is None:
        return name_mails([delivery])[delivery.id], url_for("mails.show_mails")
    return channel.name, url_for("channel.show_channel", public_id=channel.public_id)


def _find(public_id: str) -> Delivery:
    delivery = find_delivery(current_workspace().id, public_id)
    if delivery is None or not (delivery.channel or may(ACCESS["mails"].look)):
        abort(404, "There is no such delivery in this workspace.")
    return delivery
