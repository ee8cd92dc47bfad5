"""Whatever else Apprise knows, by its URL; it runs in a process of its own, under a guard."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from marshmallow import ValidationError

from app.channels.apprise_services import SERVICES, Service
from app.channels.connections import NO_ANSWER, judge, refuse_address
from app.channels.literal import as_code, with_lookalikes
from app.channels.message import Message
from app.channels.sending import Answer, DeliveryError, Sending
from app.channels.settings import Settings, is_plain, text
from app.channels.wording import title_of, write_body

KIND, LABEL = "apprise", "Other (Apprise)"
HELP = (
    "For services without a form of their own, such as Gotify, Matrix, Mattermost or Zulip: "
    "appriseit.com/services shows how each one's URL is made."
)
TITLE_PART, MAX_TITLE = 3, 200
"""A title takes the third of a short message at most."""
BREAK = len("\r\n")
"""Between a title and a body, where a service has no place for titles."""
PROCESS = Path(__file__).parent.parent / "apprise_process.py"


def _is_known(value: str) -> None:
    scheme, separator, rest = value.partition("://")
    if not separator or not rest:
        raise ValidationError("Enter an Apprise URL, such as gotifys://host/token.")
    if scheme.lower() not in SERVICES:
        raise ValidationError(
            f"“{scheme[:30]}” is not among the services that can be used: "
            f"{', '.join(sorted(SERVICES))}."
        )
    is_plain(value)


class Config(Settings):
    url = text("Apprise URL", "Such as gotifys://host/token.", secret=True, check=_is_known)


def about(settings: Mapping[str, Any]) -> str:
    return str(settings["url"].partition("://")[0])


def write_order(message: Message, url: str) -> dict[str, str]:
    """What Apprise is to send, made literal for the service; with the stable id as its last line:
    there is no other place for it. Raises DeliveryError for a service that is not on the list."""
    scheme = url.partition("://")[0].lower()
    if scheme not in SERVICES:
        raise DeliveryError(f"{scheme[:30]}:// is not among the services that can be used.")
    service = SERVICES[scheme]
    title_room = min(MAX_TITLE, service.limit // TITLE_PART)
    title = title_of(message, title_room)
    link = f"{message.link}\n\n" if message.link else ""
    last = f"\n\n{link}Message {message.id}"
    room = service.limit - len(last)
    if service.look is with_lookalikes:
        message = _without_addresses(message)
    body = write_body(message, service.limit, with_link=False)
    if service.look is as_code:
        return _order(service, url, "", as_code(f"{title}\n\n{body}".strip(), room) + last)
    title = service.look(title, title_room)
    return _order(service, url, title, service.look(body, room - len(title) - BREAK) + last)


def _without_addresses(message: Message) -> Message:
    """Without facts and lines that are addresses of our own, which would no longer lead anywhere;
    the page of the link has them, too."""
    scheme, _, rest = message.link.partition("://")
    own = f"{scheme}://{rest.partition('/')[0]}/"
    if not rest:
        return message
    facts = [fact for fact in message.facts if own not in fact[1]]
    lines = [line for line in message.text.split("\n") if not line.startswith(own)]
    return replace(message, facts=tuple(facts), text="\n".join(lines))


def _order(service: Service, url: str, title: str, body: str) -> dict[str, str]:
    name = service.usual.partition("=")[0]
    if name and f"{name}=" not in url.partition("?")[2].lower():
        url += ("&" if "?" in url else "?") + service.usual
    return {"url": url, "title": title, "body": body.strip()}


def send(sending: Sending) -> Answer:
    """A process of its own can be ended in time, and its guard sees each of its connections."""
    order: dict[str, Any] = {
        **write_order(sending.message, sending.settings["url"]),
        "allow_private": sending.network.allow_private,
    }
    try:
        done = subprocess.run(  # noqa: S603  # Our own file; what is told goes by its input.
            [sys.executable, "-I", str(PROCESS)],
            input=json.dumps(order),
            capture_output=True,
            text=True,
            timeout=sending.deadline.left(),
            env={name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ},
            check=False,
        )
        told = json.loads(done.stdout)
    except (subprocess.TimeoutExpired, TimeoutError) as error:
        words = f"The service gave no answer: {sending.deadline.words}."
        raise DeliveryError(words, problem=NO_ANSWER) from error
    except ValueError as error:
        raise DeliveryError("Apprise ended without a word.") from error
    return _judge(told)


def _judge(told: Mapping[str, Any]) -> Answer:
    """What the process tells of the other side. Raises DeliveryError."""
    answer = None if told["status"] is None else Answer(told["status"], told["answer"])
    if told["ok"]:
        return answer or Answer(None, "")
    if answer is not None:
        judge("The service", answer)
        words = f"The service answered {answer.status}, which Apprise takes for a failure."
        raise DeliveryError(words, answer, problem="delivery_rejected")
    if told["refused"]:
        raise refuse_address("The URL", told["refused"])
    if told["error"]:
        raise DeliveryError(f"The service was not reached: {told['error']}.", problem=NO_ANSWER)
    said = told["log"].strip().rpartition("\n")[2]
    raise DeliveryError(f"Apprise could not deliver it. {said}".strip())
