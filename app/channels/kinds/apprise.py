"""Whatever else Apprise knows, by its URL; it runs in a process of its own, under a guard."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from marshmallow import ValidationError

from app.channels.connections import NO_ANSWER, TOTAL_SECONDS
from app.channels.message import Message
from app.channels.sending import Answer, DeliveryError, Sending
from app.channels.settings import Settings, is_plain, text
from app.channels.wording import title_of, write_body

KIND, LABEL = "apprise", "Other (Apprise)"
HELP = (
    "For services without a form of their own, such as Gotify, Matrix, Mattermost or Zulip: "
    "appriseit.com/services shows how each one's URL is made."
)
_SCHEMES = """
    bark barks bluesky chanify clickatell clicksend cliq dingtalk feishu flock gchat goalert
    goalerts gotify gotifys groupme guilded ifttt ilert incidentio join kook lametric lametrics
    lark line mailgun mastodon mastodons matrix matrixs misskey misskeys mmost mmosts msgbird
    nctalk nctalks notica noticas notifiarr onesignal pagertree pbul plivo postmark prowl
    pushdeer pushdeers pushed pushme pushplus pushy revolt rocket rockets ryver sendgrid seven
    signal signals signl4 simplepush sinch sparkpost splunk spike squadcast synology synologys
    telnyx threema toot toots twilio twist victorops voipms vonage webex wecombot whatsapp
    wxteams zulip
"""
SCHEMES = frozenset(_SCHEMES.split())
"""Those that speak HTTP, and only to the service that their URL names."""
START_SECONDS = 10.0
"""What a busy machine may need to start the process."""
MAX_BODY = 4000
PROCESS = Path(__file__).parent.parent / "apprise_process.py"


def _is_known(value: str) -> None:
    scheme, separator, rest = value.partition("://")
    if not separator or not rest:
        raise ValidationError("Enter an Apprise URL, such as gotifys://host/token.")
    if scheme.lower() not in SCHEMES:
        raise ValidationError(
            f"“{scheme[:30]}” is not among the services that can be used: "
            f"{', '.join(sorted(SCHEMES))}."
        )
    is_plain(value)


class Config(Settings):
    url = text("Apprise URL", "Such as gotifys://host/token.", secret=True, check=_is_known)


def about(settings: Mapping[str, Any]) -> str:
    return str(settings["url"].partition("://")[0])


def _write(message: Message) -> str:
    """With the stable id as its last line: there is no other place for it."""
    told = f"Message {message.id}"
    body = write_body(message, MAX_BODY - len(told) - 2) or title_of(message)
    return f"{body}\n\n{told}"


def send(sending: Sending) -> Answer:
    """A process of its own can be ended in time, and its guard sees each of its connections."""
    message = sending.message
    order = {
        "url": sending.settings["url"],
        "title": title_of(message),
        "body": _write(message),
        "allow_private": sending.network.allow_private,
    }
    try:
        done = subprocess.run(  # noqa: S603  # Our own file; what is told goes by its input.
            [sys.executable, "-I", str(PROCESS)],
            input=json.dumps(order),
            capture_output=True,
            text=True,
            timeout=TOTAL_SECONDS + START_SECONDS,
            env={name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ},
            check=False,
        )
        told = json.loads(done.stdout)
    except subprocess.TimeoutExpired as error:
        words = "The service did not answer in time."
        raise DeliveryError(words, problem=NO_ANSWER) from error
    except ValueError as error:
        raise DeliveryError("Apprise ended without a word.") from error
    answer = Answer(None, told["log"])
    if not told["ok"]:
        raise DeliveryError("Apprise could not deliver it.", answer)
    return answer
