"""Microsoft Teams, by a workflow that waits for a webhook."""

from collections.abc import Mapping
from typing import Any

from app.channels.connections import post_json
from app.channels.sending import Answer, Sending
from app.channels.settings import Settings, is_web_address, text
from app.channels.wording import OPEN, cut_lines, list_facts, title_of

KIND, LABEL = "teams", "Microsoft Teams"
HELP = (
    "In Teams: the channel's menu → Workflows → “Send webhook alerts to a channel”. Copy the "
    "address that it shows at the end."
)
HOSTS = (
    "logic.azure.com",
    "powerplatform.com",
    "powerautomate.com",
    "webhook.office.com",
    "logic.azure.us",
    "powerplatform.us",
    "powerautomate.us",
    "logic.azure.cn",
    "powerautomate.cn",
)
"""Of Workflows, and of the connectors before them; in the clouds for governments and for China."""
MAX_TEXT = 8000


class Config(Settings):
    url = text(
        "Webhook address",
        "The whole address, with all that stands behind the question mark.",
        secret=True,
        hosts=HOSTS,
        check=is_web_address,
    )


def about(settings: Mapping[str, Any]) -> str:
    return "a channel in Microsoft Teams"


def send(sending: Sending) -> Answer:
    """An adaptive card of text runs, which know no Markdown; a mention would need an entity."""
    message = sending.message
    body = [_run(title_of(message), size="medium", weight="bolder")]
    if message.text.strip():
        body.append(_run(cut_lines(message.text.strip(), MAX_TEXT)))
    for name, value in list_facts(message):
        body.append(_paragraph({"text": f"{name}: ", "weight": "bolder"}, {"text": value}))
    card: dict[str, Any] = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "body": body,
    }
    if message.link:
        card["actions"] = [{"type": "Action.OpenUrl", "title": OPEN, "url": message.link}]
    attachment = {"contentType": "application/vnd.microsoft.card.adaptive", "content": card}
    payload = {"type": "message", "attachments": [attachment]}
    return post_json(sending, sending.settings["url"], payload)


def _run(words: str, **look: str) -> dict[str, Any]:
    return _paragraph({"text": words, **look})


def _paragraph(*runs: dict[str, str]) -> dict[str, Any]:
    return {"type": "RichTextBlock", "inlines": [{"type": "TextRun", **run} for run in runs]}
