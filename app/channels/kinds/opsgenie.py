"""Opsgenie: an alert creates one there by its alias, its recovery closes it."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from marshmallow import validate

from app.channels.connections import post_json
from app.channels.message import Message
from app.channels.sending import Answer, Sending
from app.channels.settings import Settings, choice, text
from app.channels.wording import OVER, cut, list_facts, title_of, write_body

KIND, LABEL = "opsgenie", "Opsgenie"
HELP = (
    "In Opsgenie: Teams → your team → Integrations → Add integration → API. Copy its API key; it "
    "needs the right to create and update alerts."
)
REGIONS = {"us": "United States", "eu": "Europe"}
APIS = {"us": "https://api.opsgenie.com", "eu": "https://api.eu.opsgenie.com"}
MAX_TITLE, MAX_TEXT = 130, 14_000


class Config(Settings):
    api_key = text(
        "API key",
        "Five groups of letters and digits with hyphens between them.",
        secret=True,
        check=validate.Regexp(
            r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\Z",
            error="This is not the form of an API key.",
        ),
    )
    region = choice("Region", REGIONS, "us", "Europe, if your address is app.eu.opsgenie.com.")


def about(settings: Mapping[str, Any]) -> str:
    return f"a team in Opsgenie ({REGIONS[settings['region']]})"


def send(sending: Sending) -> Answer:
    """A test opens an alert of its own and closes it at once."""
    message = sending.message
    if message.kind in OVER:
        return _close(sending, message.incident)
    alias = message.id if message.kind == "test" else message.incident or message.id
    answer = _post(sending, "", _describe(message, alias))
    return _close(sending, alias) if message.kind == "test" else answer


def _describe(message: Message, alias: str) -> dict[str, Any]:
    return {
        "message": title_of(message, MAX_TITLE),
        "alias": alias,
        "description": write_body(message, MAX_TEXT),
        "details": {**dict(list_facts(message)), "message_id": message.id},
        "source": "FlowPulse",
    }


def _close(sending: Sending, alias: str) -> Answer:
    path = f"/{quote(alias, safe='')}/close?identifierType=alias"
    return _post(sending, path, {"source": "FlowPulse", "note": cut(sending.message.text, 500)})


def _post(sending: Sending, path: str, payload: dict[str, Any]) -> Answer:
    headers = {"Authorization": f"GenieKey {sending.settings['api_key']}"}
    url = f"{APIS[sending.settings['region']]}/v2/alerts{path}"
    return post_json(sending, url, payload, headers)
