"""PagerDuty, by the Events API v2: an alert triggers an incident, its recovery resolves it."""

from collections.abc import Mapping
from typing import Any

from marshmallow import validate

from app.channels.connections import post_json
from app.channels.message import Message
from app.channels.sending import Answer, Sending
from app.channels.settings import Settings, choice, text
from app.channels.wording import OPEN, OVER, cut_lines, list_facts, title_of

KIND, LABEL = "pagerduty", "PagerDuty"
HELP = (
    "In PagerDuty: Services → your service → Integrations → Add an integration → Events API V2. "
    "Copy its integration key."
)
REGIONS = {"us": "United States", "eu": "Europe"}
APIS = {"us": "https://events.pagerduty.com", "eu": "https://events.eu.pagerduty.com"}
MAX_SUMMARY, MAX_TEXT = 1024, 8000
SEVERITIES = {"alert": "error", "reminder": "error", "digest": "error", "notice": "warning"}


class Config(Settings):
    routing_key = text(
        "Integration key",
        secret=True,
        check=validate.Regexp(r"[A-Za-z0-9]{32}\Z", error="This has 32 letters and digits."),
    )
    region = choice("Service region", REGIONS, "us", "As in the address that you sign in at.")


def about(settings: Mapping[str, Any]) -> str:
    return f"a service in PagerDuty ({REGIONS[settings['region']]})"


def send(sending: Sending) -> Answer:
    """A test opens an incident of its own and resolves it at once."""
    message = sending.message
    if message.kind in OVER:
        return _post(sending, "resolve", message.incident)
    incident = message.id if message.kind == "test" else message.incident or message.id
    answer = _post(sending, "trigger", incident, payload=_describe(message))
    return _post(sending, "resolve", incident) if message.kind == "test" else answer


def _describe(message: Message) -> dict[str, Any]:
    return {
        "summary": title_of(message, MAX_SUMMARY),
        "source": "FlowPulse",
        "severity": SEVERITIES.get(message.kind, "info"),
        "timestamp": message.at.isoformat(),
        "custom_details": {
            **dict(list_facts(message)),
            "text": cut_lines(message.text, MAX_TEXT),
            "message_id": message.id,
        },
    }


def _post(sending: Sending, action: str, incident: str, **more: Any) -> Answer:
    link = sending.message.link
    event = {
        "routing_key": sending.settings["routing_key"],
        "event_action": action,
        "dedup_key": incident,
        "client": "FlowPulse",
        **({"links": [{"href": link, "text": OPEN}]} if link else {}),
        **more,
    }
    url = f"{APIS[sending.settings['region']]}/v2/enqueue"
    return post_json(sending, url, event)
