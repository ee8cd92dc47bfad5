"""One channel: its form, a test of it, what was delivered, and its end."""

from collections.abc import Sequence
from typing import Any

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy import select
from sqlalchemy.orm import joinedload

from app.channels.kinds import KINDS, WITH_MAIL, Kind
from app.channels.network import NO_MAIL, read_mail_server
from app.console.channels import describe
from app.console.guards import current_workspace, signed_in_user
from app.console.kept import kept_deliveries
from app.console.key_pages import find_id_page
from app.console.worker_trouble import find_worker_trouble
from app.extensions import db
from app.models import Channel, Delivery
from app.workspaces.channels import (
    SIGNED,
    add_channel,
    change_channel,
    delete_channel,
    find_channel,
    find_delivery,
    open_settings,
    renew_secret,
    send_test,
    switch_channel_on,
)
from app.workspaces.mistakes import Errors, RefusedError

PAGE_SIZE = 25

blueprint = Blueprint("channel", __name__)


@blueprint.get("/alerts/channels/new/<kind>")
def show_new(kind: str) -> str:
    return _show_new(find_kind(kind), {})


@blueprint.post("/alerts/channels/new/<kind>")
def add(kind: str) -> ResponseReturnValue:
    """A webhook's secret is in this answer and nowhere else."""
    found = find_kind(kind)
    try:
        channel, secret = add_channel(
            current_workspace().id, found.KIND, request.form, signed_in_user()
        )
    except RefusedError as error:
        return _show_new(found, error.errors), 422
    if secret:
        return _show_secret(channel, secret)
    flash(f"“{channel.name}” is saved. Send a test now, to see whether it works.", "success")
    return redirect(address_of(channel), 303)


@blueprint.get("/alerts/channels/<public_id:public_id>")
def show_channel(public_id: str) -> ResponseReturnValue:
    return _show_channel(_find(public_id), {})


@blueprint.post("/alerts/channels/<public_id:public_id>")
def save(public_id: str) -> ResponseReturnValue:
    channel = _find(public_id)
    try:
        change_channel(channel, request.form)
    except RefusedError as error:
        return _show_channel(channel, error.errors)
    flash("The channel is saved.", "success")
    return redirect(address_of(channel), 303)


@blueprint.post("/alerts/channels/<public_id:public_id>/test")
def test(public_id: str) -> ResponseReturnValue:
    """The worker sends it; the page that this leads to waits for the answer."""
    channel = _find(public_id)
    if channel.disabled_at is not None:
        flash("This channel is switched off. Switch it on first.", "error")
        return redirect(address_of(channel), 303)
    delivery = send_test(channel, signed_in_user())
    return redirect(address_of(channel, test=delivery), 303)


@blueprint.get("/alerts/channels/<public_id:public_id>/test")
def show_test(public_id: str) -> ResponseReturnValue:
    """What the page asks for until the answer is there: the answer comes with the whole page."""
    channel = _find(public_id)
    found = _find_test(channel, request.args.get("test", ""))
    if found is None:
        abort(404, "There is no such test of this channel.")
    if found.state != "waiting":
        return _show_channel(channel, {})
    return render_template(
        "console/_channel_test.html",
        channel=channel,
        tested=found,
        worker_trouble=find_worker_trouble(),
    )


@blueprint.post("/alerts/channels/<public_id:public_id>/on")
def switch_on(public_id: str) -> ResponseReturnValue:
    channel = _find(public_id)
    switch_channel_on(channel)
    flash(f"“{channel.name}” is switched on again.", "success")
    return redirect(address_of(channel), 303)


@blueprint.post("/alerts/channels/<public_id:public_id>/secret")
def new_secret(public_id: str) -> ResponseReturnValue:
    channel = _find(public_id)
    if channel.kind != SIGNED:
        abort(404, "This kind of channel has no secret of its own.")
    return _show_secret(channel, renew_secret(channel))


@blueprint.post("/alerts/channels/<public_id:public_id>/delete")
def delete(public_id: str) -> ResponseReturnValue:
    channel = _find(public_id)
    name = channel.name
    delete_channel(channel)
    flash(f"The channel “{name}” is deleted.", "success")
    return redirect(url_for("channels.show_channels"), 303)


def find_kind(name: str) -> Kind:
    if name not in KINDS:
        abort(404, "There is no such kind of channel.")
    return KINDS[name]


def address_of(channel: Channel, **query: Any) -> str:
    return url_for("channel.show_channel", public_id=channel.public_id, **query)


def _find(public_id: str) -> Channel:
    channel = find_channel(current_workspace().id, public_id)
    if channel is None:
        abort(404, "There is no such channel in this workspace.")
    return channel


def _find_test(channel: Channel, public_id: str) -> Delivery | None:
    delivery = find_delivery(channel.workspace_id, public_id)
    is_its = delivery is not None and delivery.channel_id == channel.id
    return delivery if is_its else None


def _warn(kind: Kind) -> str:
    """Why nothing can be sent by any channel of the kind, or nothing."""
    return NO_MAIL if kind.KIND in WITH_MAIL and read_mail_server() is None else ""


def _show_new(kind: Kind, errors: Errors) -> str:
    return render_template(
        "console/channel_new.html",
        kind=kind,
        warning=_warn(kind),
        fields=describe_fields(kind, {}, request.form),
        form=request.form,
        errors=errors,
    )


def _show_secret(channel: Channel, secret: str) -> str:
    return render_template("console/channel_secret.html", channel=channel, secret=secret)


def _show_channel(channel: Channel, errors: Errors) -> ResponseReturnValue:
    kind = find_kind(channel.kind)
    saved = open_settings(channel)
    its = Delivery.channel_id == channel.id
    page = find_id_page(select(Delivery).where(its), Delivery.id, PAGE_SIZE, "a delivery")
    return render_template(
        "console/channel.html",
        channel=channel,
        listed=describe(channel),
        kind=kind,
        warning=_warn(kind),
        fields=describe_fields(kind, saved, request.form if errors else {}),
        is_readable=bool(saved),
        name=request.form.get("name", channel.name),
        tested=_find_test(channel, request.args.get("test", "")),
        worker_trouble=find_worker_trouble(),
        deliveries=load_deliveries(page.keys),
        page=page,
        page_url=lambda **place: address_of(channel, **place, _anchor="log"),
        unreadable=page.mistakes,
        kept=kept_deliveries(its),
        is_signed=channel.kind == SIGNED,
        errors=errors,
    ), 422 if errors else page.status


def load_deliveries(ids: Sequence[int]) -> Sequence[Delivery]:
    """With their messages, the newest first."""
    query = select(Delivery).where(Delivery.id.in_(ids)).options(joinedload(Delivery.message))
    return db.session.scalars(query.order_by(Delivery.id.desc())).all()


def describe_fields(kind: Kind, saved: dict[str, Any], typed: Any) -> list[dict[str, Any]]:
    """The form's fields; of a secret it is said only whether one is saved."""
    described = []
    for name, field in kind.Config().fields.items():
        look = field.metadata
        value = typed.get(name) if name in typed else saved.get(name, "")
        is_saved = look["secret"] and bool(saved.get(name))
        described.append(
            {
                **look,
                "name": name,
                "value": "" if look["secret"] else value,
                "is_saved": is_saved,
                "removes": f"remove_{name}" in typed,
                "required": field.required and not is_saved,
                "optional": not field.required,
                "options": list(look.get("options", {}).items()),
                "usual": field.load_default,
            }
        )
    return described
