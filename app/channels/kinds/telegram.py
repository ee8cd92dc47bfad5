"""Telegram, by a bot."""

import re
from collections.abc import Mapping
from typing import Any

from marshmallow import validate

from app.channels.connections import post_json
from app.channels.sending import Answer, Sending
from app.channels.settings import Settings, text
from app.channels.wording import title_of, write_body

KIND, LABEL = "telegram", "Telegram"
HELP = (
    "In Telegram: ask @BotFather for /newbot and copy the token. Add the bot to your group, write "
    "something there, and read the chat's id at https://api.telegram.org/bot<token>/getUpdates."
)
API = "https://api.telegram.org"
MAX_TEXT = 4096
_TOKEN = re.compile(r"\d{5,20}:[A-Za-z0-9_-]{20,60}\Z", re.ASCII)
_CHAT = re.compile(r"(?:-?\d{1,20}|@[A-Za-z]\w{3,40})\Z", re.ASCII)


class Config(Settings):
    token = text(
        "Token of the bot",
        "Digits, a colon and 35 letters, such as 123456789:AAE….",
        secret=True,
        check=validate.Regexp(_TOKEN, error="This is not the form of a bot's token."),
    )
    chat = text(
        "Chat",
        "The chat's number, which begins with a minus for a group, or @name of a channel.",
        check=validate.Regexp(_CHAT, error="Enter a number such as -1001234567890, or @name."),
    )


def about(settings: Mapping[str, Any]) -> str:
    return f"chat {settings['chat']}"


def send(sending: Sending) -> Answer:
    """One block of code: Telegram would find mentions, commands and links in any other text."""
    message = sending.message
    link = f"\n{message.link}" if message.link else ""
    room = MAX_TEXT // 2 - len(link)  # Its limit is counted in UTF-16.
    told = f"{title_of(message)}\n\n{write_body(message, room - 210, with_link=False)}".strip()
    length = len(told.encode("utf-16-le")) // 2
    payload = {
        "chat_id": sending.settings["chat"],
        "text": told + link,
        "entities": [{"type": "pre", "offset": 0, "length": length}],
        "link_preview_options": {"is_disabled": True},
    }
    url = f"{API}/bot{sending.settings['token']}/sendMessage"
    return post_json(sending, url, payload)
