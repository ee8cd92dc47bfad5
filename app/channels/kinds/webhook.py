"""A webhook of one's own, signed as the Standard Webhooks specification says."""

import base64
import hashlib
import hmac
import json
import secrets
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from app.channels.connections import post
from app.channels.message import Message
from app.channels.sending import Answer, Sending
from app.channels.settings import Settings, is_web_address, text
from app.clock import now

KIND, LABEL = "webhook", "Webhook"
HELP = (
    "We POST JSON to your address, signed by the Standard Webhooks specification. The secret that "
    "you check signatures with is made for you and shown once."
)
SECRET_PREFIX = "whsec_"  # noqa: S105


class Config(Settings):
    url = text(
        "Address",
        "What we send to, such as https://example.org/flowpulse.",
        # Whoever knows the address of a hook of n8n, Make or Zapier can set it off.
        secret=True,
        check=is_web_address,
    )


def about(settings: Mapping[str, Any]) -> str:
    return str(urlsplit(settings["url"]).hostname)


def make_secret() -> str:
    """192 bits, in the specification's form."""
    return SECRET_PREFIX + base64.b64encode(secrets.token_bytes(24)).decode()


def sign(secret: str, message_id: str, timestamp: int, body: bytes) -> str:
    key = base64.b64decode(secret.removeprefix(SECRET_PREFIX))
    signed = f"{message_id}.{timestamp}.".encode() + body
    return "v1," + base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()


def send(sending: Sending) -> Answer:
    """The id is the same in each try and tells doubles; the time is the try's."""
    message, timestamp = sending.message, int(now().timestamp())
    body = json.dumps(_describe(message)).encode()
    headers = {
        "Content-Type": "application/json",
        "webhook-id": message.id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": sign(sending.settings["secret"], message.id, timestamp, body),
    }
    return post(sending.settings["url"], body, sending, headers)


def _describe(message: Message) -> dict[str, Any]:
    return {
        "type": message.kind,
        "timestamp": message.at.isoformat().replace("+00:00", "Z"),
        "data": {
            "id": message.id,
            "incident": message.incident,
            "title": message.title,
            "text": message.text,
            "facts": [{"name": name, "value": value} for name, value in message.facts],
            "link": message.link,
        },
    }
