"""Slack, by an incoming webhook."""

from collections.abc import Mapping
from typing import Any

from app.channels.connections import post_json
from app.channels.sending import Answer, Sending
from app.channels.settings import Settings, is_web_address, text
from app.channels.wording import OPEN, cut, cut_lines, list_facts, title_of

KIND, LABEL = "slack", "Slack"
HELP = (
    "In Slack: api.slack.com/apps → your app → Incoming Webhooks → Add New Webhook. Choose the "
    "channel there, and copy the address."
)
HOSTS = ("hooks.slack.com", "hooks.slack-gov.com")
MAX_FIELDS, MAX_FIELD, MAX_TEXT, MAX_TITLE = 10, 2000, 2900, 150
_ESCAPES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})


class Config(Settings):
    url = text(
        "Webhook address",
        "The whole address, which begins with https://hooks.slack.com/services/.",
        secret=True,
        hosts=HOSTS,
        check=is_web_address,
    )


def about(settings: Mapping[str, Any]) -> str:
    return "a channel in Slack"


def send(sending: Sending) -> Answer:
    """Blocks of plain text, in which neither markup nor mentions mean anything."""
    message = sending.message
    blocks: list[dict[str, Any]] = [
        {"type": "header", "text": _plain(title_of(message, MAX_TITLE))}
    ]
    if message.text.strip():
        told = cut_lines(message.text.strip(), MAX_TEXT)
        blocks.append({"type": "section", "text": _plain(told)})
    facts = list_facts(message)[:MAX_FIELDS]
    if facts:
        cells = [_plain(cut(f"{name}: {value}", MAX_FIELD)) for name, value in facts]
        blocks.append({"type": "section", "fields": cells})
    if message.link:
        address = message.link.translate(_ESCAPES).replace("|", "%7C")
        link = {"type": "mrkdwn", "text": f"<{address}|{OPEN}>", "verbatim": True}
        blocks.append({"type": "context", "elements": [link]})
    payload = {
        "text": title_of(message).translate(_ESCAPES),
        "blocks": blocks,
        "mrkdwn": False,
        "parse": "none",
        "link_names": False,
        "unfurl_links": False,
        "unfurl_media": False,
    }
    return post_json(sending, sending.settings["url"], payload)


def _plain(words: str) -> dict[str, Any]:
    return {"type": "plain_text", "text": words, "emoji": False}
