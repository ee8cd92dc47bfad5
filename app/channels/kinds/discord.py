"""Discord, by a channel's webhook."""

import re
from collections.abc import Mapping
from typing import Any

from app.channels.connections import post_json
from app.channels.sending import Answer, Sending
from app.channels.settings import Settings, is_web_address, text
from app.channels.wording import title_of, write_body

KIND, LABEL = "discord", "Discord"
HELP = (
    "In Discord: the channel's settings → Integrations → Webhooks → New Webhook → Copy Webhook URL."
)
HOSTS = ("discord.com", "discordapp.com")
MAX_CONTENT = 2000
SUPPRESS_EMBEDS = 4
_MARKUP = re.compile(r"([^\w\s]|_)")


class Config(Settings):
    url = text(
        "Webhook address",
        "The whole address, which begins with https://discord.com/api/webhooks/.",
        secret=True,
        hosts=HOSTS,
        check=is_web_address,
    )


def about(settings: Mapping[str, Any]) -> str:
    return "a channel in Discord"


def send(sending: Sending) -> Answer:
    """The title with every sign escaped, the rest as a block of code: both are literal there."""
    message = sending.message
    title = "**" + _MARKUP.sub(r"\\\1", title_of(message, 150)) + "**\n"
    link = f"\n<{message.link}>" if message.link else ""
    room = MAX_CONTENT - len(title) - len(link) - len("```\n\n```")
    body = write_body(message, room, with_link=False).replace("`", "ˋ")
    block = f"```\n{body}\n```" if body else ""
    payload = {
        "content": title + block + link,
        "allowed_mentions": {"parse": []},
        "flags": SUPPRESS_EMBEDS,
    }
    return post_json(sending, sending.settings["url"], payload)
