"""The list of channels, for everybody; adding one begins here."""

from typing import NamedTuple

from flask import Blueprint, render_template
from sqlalchemy import select

from app.channels.kinds import KINDS
from app.channels.sealing import UnreadableError, unseal
from app.console.guards import current_workspace, may
from app.extensions import db
from app.models import Channel

blueprint = Blueprint("channels", __name__)


class Listed(NamedTuple):
    """A channel as the list shows it; `about` names the other side, for who may see it."""

    channel: Channel
    label: str
    state: str
    about: str


@blueprint.get("/alerts/channels")
def show_channels() -> str:
    channels = db.session.scalars(
        select(Channel).where(Channel.workspace_id == current_workspace().id).order_by(Channel.name)
    )
    return render_template(
        "console/channels.html",
        listed=[describe(channel) for channel in channels],
        kinds=list(KINDS.values()),
    )


def describe(channel: Channel) -> Listed:
    about = describe_other_side(channel) if may("member") else ""
    return Listed(channel, label_of(channel), state_of(channel), about)


def label_of(channel: Channel) -> str:
    kind = KINDS.get(channel.kind)
    return kind.LABEL if kind else channel.kind


def describe_other_side(channel: Channel) -> str:
    """Who gets its messages, without a secret."""
    try:
        return KINDS[channel.kind].about(unseal(channel.sealed_settings))
    except (UnreadableError, KeyError):
        return "settings that can't be read any more"


def state_of(channel: Channel) -> str:
    """`off`, `failing`, `ok`, or `unused` where nothing has been sent yet."""
    if channel.disabled_at is not None:
        return "off"
    if channel.failing_since is not None:
        return "failing"
    return "ok" if channel.last_ok_at is not None else "unused"
