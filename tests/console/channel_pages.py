"""Channels as people make them in the console."""

from flask.testing import FlaskClient
from sqlalchemy import select

from app.extensions import db
from app.models import Channel
from tests.console.pages import open_page

LIST = "/alerts/channels"


def only_channel() -> Channel:
    db.session.rollback()
    return db.session.scalars(select(Channel)).one()


def address(channel: Channel) -> str:
    return f"{LIST}/{channel.public_id}"


def add(client: FlaskClient, kind: str, **values: str) -> str:
    path = f"{LIST}/new/{kind}"
    fields = open_page(client, path).form("").fields
    answer = client.post(path, data={**fields, **values})
    assert answer.status_code in (200, 303), answer.text
    return str(answer.text)
