"""Channels: made, changed, tried out, switched on again and deleted, by people."""

from collections.abc import Mapping
from typing import Any

from marshmallow import ValidationError
from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from app.channels.kinds import KINDS, WITH_INCIDENTS
from app.channels.kinds.webhook import make_secret
from app.channels.message import Message
from app.channels.network import read_network
from app.channels.outbox import put
from app.channels.sealing import UnreadableError, seal, unseal
from app.channels.settings import keep_secrets
from app.channels.switching import switch_on
from app.channels.wording import OVER
from app.clock import now
from app.extensions import db, writing
from app.identifiers import new_id
from app.models import Alert, Channel, Delivery, OutboxMessage, User
from app.workspaces.audit import change, note
from app.workspaces.mistakes import Errors, Mistakes, RefusedError
from app.workspaces.people import clean_field

NAME_LENGTH = 120
MOST_CHANNELS = 100
SIGNED = "webhook"
"""The kind whose secret is made here, and shown once."""
SECRET = "secret"  # noqa: S105


def add_channel(
    workspace_id: int, kind: str, form: Mapping[str, str], user: User
) -> tuple[Channel, str | None]:
    """The channel and, of a signed webhook, its secret. Raises RefusedError."""
    name, settings = _read(kind, form, {})
    secret = make_secret() if kind == SIGNED else None
    if secret:
        settings[SECRET] = secret
    user_id = user.id
    try:
        with writing() as session:
            _refuse_too_many(session, workspace_id)
            _refuse_taken(session, workspace_id, name)
            channel = Channel(
                workspace_id=workspace_id,
                name=name,
                kind=kind,
                sealed_settings=seal(settings),
                created_by_id=user_id,
            )
            session.add(channel)
            note(session, "channel_created", workspace_id, channel, {"kind": kind})
    except IntegrityError as error:
        raise _taken(name) from error
    return channel, secret


def change_channel(channel: Channel, form: Mapping[str, str]) -> None:
    """Settings that are secret and left empty stay. Raises RefusedError."""
    saved = open_settings(channel)
    name, settings = _read(channel.kind, form, saved)
    if channel.kind == SIGNED:
        settings[SECRET] = saved.get(SECRET) or make_secret()
    channel_id, workspace_id = channel.id, channel.workspace_id
    try:
        with writing() as session:
            _refuse_taken(session, workspace_id, name, but=channel_id)
            told = {"name": change(channel.name, name), "changed": _list_changed(saved, settings)}
            channel.name = name
            channel.sealed_settings = seal(settings)
            note(session, "channel_changed", workspace_id, channel, told)
    except IntegrityError as error:
        raise _taken(name) from error


def renew_secret(channel: Channel) -> str:
    """A webhook's new secret; the old one signs nothing more."""
    settings = {**open_settings(channel), SECRET: make_secret()}
    with writing() as session:
        channel.sealed_settings = seal(settings)
        note(session, "channel_secret_renewed", channel.workspace_id, channel)
    return str(settings[SECRET])


def delete_channel(channel: Channel) -> None:
    """Its deliveries go with it."""
    with writing() as session:
        note(session, "channel_deleted", channel.workspace_id, channel, {"kind": channel.kind})
        session.delete(channel)


def switch_channel_on(channel: Channel) -> None:
    with writing() as session:
        switch_on(channel)
        note(session, "channel_switched_on", channel.workspace_id, channel)


def send_test(channel: Channel, user: User) -> str:
    """Leave a test for the worker, which tries it once; returns the delivery's public id."""
    moment, who = now(), user.name or user.email
    message = Message(
        id=new_id(),
        kind="test",
        title="Test from FlowPulse",
        text="If you can read this, the channel works. Nothing is wrong.",
        facts=(("Channel", channel.name), ("Sent by", who)),
        link="",
        incident="",
        at=moment,
    )
    channel_id, workspace_id = channel.id, channel.workspace_id
    with writing() as session:
        note(session, "channel_tested", workspace_id, channel)
        key = put(session.connection(), message, workspace_id, [channel_id], moment)
        found = select(Delivery.public_id).where(Delivery.message_id == key)
        return session.scalars(found).one()


def try_again(delivery: Delivery) -> None:
    """At once, and then for another day, as if it had just been put in."""
    with writing() as session:
        # What the worker is sending right now, or has sent, is let be.
        session.refresh(delivery, with_for_update={"of": Delivery})
        is_open = delivery.state != "delivered" and not is_leased(delivery)
        if is_open and not reopens_incident(delivery):
            delivery.state = "waiting"
            delivery.attempts = 0
            delivery.next_try_at = now()
            delivery.finished_at = None


def reopens_incident(delivery: Delivery) -> bool:
    """Whether it opens an incident of an alert that is over: nothing would resolve that again."""
    channel, message = delivery.channel, delivery.message
    if channel is None or channel.kind not in WITH_INCIDENTS:
        return False
    if not message.incident or message.kind in OVER:
        return False
    open_ones = select(Alert.id).where(
        Alert.public_id == message.incident, Alert.ended_at.is_(None)
    )
    return db.session.scalar(open_ones) is None


def is_leased(delivery: Delivery) -> bool:
    return delivery.lease_until is not None and delivery.lease_until > now()


def open_settings(channel: Channel) -> dict[str, Any]:
    """Empty where they can't be opened any more: they have to be entered again."""
    try:
        return unseal(channel.sealed_settings)
    except UnreadableError:
        return {}


def find_channel(workspace_id: int, public_id: str) -> Channel | None:
    return db.session.scalar(
        select(Channel).where(Channel.public_id == public_id, Channel.workspace_id == workspace_id)
    )


def find_delivery(workspace_id: int, public_id: str) -> Delivery | None:
    """A delivery of one of the workspace's messages, by a channel or to an address."""
    return db.session.scalar(
        select(Delivery)
        .join(OutboxMessage, OutboxMessage.id == Delivery.message_id)
        .where(
            Delivery.public_id == public_id,
            OutboxMessage.workspace_id == workspace_id,
        )
    )


def _read(
    kind: str, form: Mapping[str, str], saved: Mapping[str, Any]
) -> tuple[str, dict[str, Any]]:
    """Name and settings; all mistakes at once."""
    mistakes, name = Mistakes(), ""
    config = KINDS[kind].Config(any_host=read_network().allow_private)
    kept = keep_secrets(KINDS[kind].Config, saved, form)
    given = {name: value for name, value in form.items() if value.strip() and name in config.fields}
    settings: dict[str, Any] = {}
    with mistakes.noted():
        name = clean_field("name", form.get("name", ""), NAME_LENGTH)
    try:
        settings = dict(config.load({**kept, **given}))
    except ValidationError as error:
        said: Errors = error.normalized_messages()  # type: ignore[no-untyped-call]
        for field, messages in said.items():
            mistakes.add(field, *messages)
    mistakes.refuse()
    return name, settings


def _list_changed(saved: Mapping[str, Any], settings: Mapping[str, Any]) -> list[str] | None:
    """The names of the settings that differ; what they are may be secret."""
    names = sorted(saved.keys() | settings.keys())
    return [name for name in names if saved.get(name) != settings.get(name)] or None


def _refuse_taken(session: Session, workspace_id: int, name: str, but: int = 0) -> None:
    taken = select(Channel.id).where(
        Channel.workspace_id == workspace_id, Channel.name == name, Channel.id != but
    )
    if session.scalar(taken) is not None:
        raise _taken(name)


def _taken(name: str) -> RefusedError:
    return RefusedError("name", f"Another channel has the name {name}.")


def _refuse_too_many(session: Session, workspace_id: int) -> None:
    count = select(func.count(Channel.id)).where(Channel.workspace_id == workspace_id)
    if (session.scalar(count) or 0) >= MOST_CHANNELS:
        most = f"There are {MOST_CHANNELS} channels, and no more fit. Delete one first."
        raise RefusedError("name", most)
