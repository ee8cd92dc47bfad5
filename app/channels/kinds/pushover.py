"""Pushover, by an application's token."""

from collections.abc import Mapping
from typing import Any

from marshmallow import validate

from app.channels.connections import post_json
from app.channels.sending import Answer, Sending
from app.channels.settings import Settings, text
from app.channels.wording import OPEN, title_of, write_body

KIND, LABEL = "pushover", "Pushover"
HELP = (
    "At pushover.net: the user key stands on the first page; the token comes from “Create an "
    "Application/API Token”."
)
API = "https://api.pushover.net"
MAX_TITLE, MAX_MESSAGE, MAX_LINK = 250, 1024, 512
_KEY = validate.Regexp(r"[A-Za-z0-9]{30}\Z", error="This has 30 letters and digits.")


class Config(Settings):
    user = text("User or group key", secret=True, check=_KEY)
    token = text("API token of the application", secret=True, check=_KEY)


def about(settings: Mapping[str, Any]) -> str:
    return "devices with Pushover"


def send(sending: Sending) -> Answer:
    """Without its `html` and `monospace`, Pushover shows texts as they are."""
    message = sending.message
    payload = {
        "user": sending.settings["user"],
        "token": sending.settings["token"],
        "title": title_of(message, MAX_TITLE),
        "message": write_body(message, MAX_MESSAGE, with_link=False) or title_of(message),
        "timestamp": int(message.at.timestamp()),
    }
    if message.link and len(message.link) <= MAX_LINK:
        payload |= {"url": message.link, "url_title": OPEN}
    return post_json(sending, f"{API}/1/messages.json", payload)
