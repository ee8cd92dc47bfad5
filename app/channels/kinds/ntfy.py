"""ntfy, at ntfy.sh or a server of one's own."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from marshmallow import validate

from app.channels.connections import post_json
from app.channels.sending import Answer, Sending
from app.channels.settings import Settings, is_plain, is_web_address, text
from app.channels.wording import DOWN, title_of, write_body

KIND, LABEL = "ntfy", "ntfy"
HELP = (
    "Choose a topic that nobody guesses and subscribe to it in the ntfy app. A server of your own "
    "or a reserved topic asks for an access token: ntfy → Account → Access tokens."
)
NTFY_SH = "https://ntfy.sh"
MAX_MESSAGE = 3500
HIGH, USUAL = 4, 3


class Config(Settings):
    server = text(
        "Server",
        f"Leave empty for {NTFY_SH}.",
        required=False,
        check=is_web_address,
        placeholder=NTFY_SH,
    )
    topic = text(
        "Topic",
        "Whoever knows the topic can read it.",
        secret=True,
        sent_to="server",
        check=validate.Regexp(
            r"[-_A-Za-z0-9]{1,64}\Z", error="Use up to 64 letters, digits, - and _."
        ),
    )
    token = text("Access token", secret=True, sent_to="server", required=False, check=is_plain)


def about(settings: Mapping[str, Any]) -> str:
    return f"a topic at {urlsplit(settings.get('server') or NTFY_SH).hostname}"


def send(sending: Sending) -> Answer:
    """As JSON: what is in a title can't become a header."""
    message, settings = sending.message, sending.settings
    payload = {
        "topic": settings["topic"],
        "title": title_of(message),
        "message": write_body(message, MAX_MESSAGE, with_link=False) or title_of(message),
        "priority": HIGH if message.kind in DOWN else USUAL,
        **({"click": message.link} if message.link else {}),
    }
    token = settings.get("token")
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    return post_json(sending, settings.get("server") or NTFY_SH, payload, headers)
