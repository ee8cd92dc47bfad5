"""Sends one message by Apprise: started with an order as JSON on its input.

It may connect to public addresses only, follows no redirects, and starts no programs: Python tells
its audit hook of each such thing before it is done, whichever library does it.
"""

import io
import json
import logging
import runpy
import socket
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import apprise
import requests

MAX_ANSWER_BYTES = 64 * 1024
READ_SECONDS = 10
FORBIDDEN = ("subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.fork", "ctypes.")
KEPT_BYTES = 4096
"""So much of each answer is told of."""
GOOD = range(200, 300)
_read = requests.Response.iter_content
_send = requests.Session.send


@dataclass
class Heard:
    """What came of the requests: each answer's status with its beginning, the last error, and the
    address that the guard refused."""

    answers: list[requests.Response] = field(default_factory=list)
    error: str = ""
    refused: str = ""

    def tell(self) -> dict[str, Any]:
        """Of several answers the last that is no good one, or else the last."""
        bad = [each for each in self.answers if each.status_code not in GOOD]
        told: dict[str, Any] = {"error": self.error, "refused": self.refused, "status": None}
        for answer in (bad or self.answers)[-1:]:
            said = bytes(getattr(answer, "beginning", b""))
            told |= {"status": answer.status_code, "answer": said.decode("utf-8", "replace")}
        return told


def send(order: dict[str, Any]) -> dict[str, Any]:
    log, heard = io.StringIO(), Heard()
    handler = logging.StreamHandler(log)
    handler.setLevel(logging.INFO)
    logging.getLogger("apprise").addHandler(handler)
    logging.getLogger("apprise").setLevel(logging.INFO)
    socket.setdefaulttimeout(READ_SECONDS)
    listen(heard)
    guard(heard, allow_private=order["allow_private"])
    is_sent = notify(order["url"], order["title"], order["body"])
    return {"ok": is_sent, "log": log.getvalue()[:MAX_ANSWER_BYTES], **heard.tell()}


def notify(url: str, title: str, body: str) -> bool:
    """One URL, one message, sent as it is: whatever the URL says of formats, of names of signs or
    of splitting does nothing."""
    asset = apprise.AppriseAsset(
        app_id="FlowPulse",
        app_desc="FlowPulse",
        storage_mode="memory",
        async_mode=False,
        secure_logging=True,
    )
    service = apprise.Apprise.instantiate(url, asset=asset)
    if not isinstance(service, apprise.NotifyBase):
        return False
    service.notify_format = apprise.NotifyFormat.TEXT
    service.overflow_mode = apprise.OverflowMode.UPSTREAM
    service.interpret_emojis = False
    services = apprise.Apprise(asset=asset)
    services.add(service)
    return bool(services.notify(title=title, body=body, body_format=apprise.NotifyFormat.TEXT))


def listen(heard: Heard) -> None:
    """Apprise itself keeps what it is answered to itself."""

    def send(session: requests.Session, *arguments: Any, **options: Any) -> requests.Response:
        try:
            answer = _send(session, *arguments, **options)
        except requests.RequestException as error:
            heard.error = describe(error)
            raise
        heard.answers.append(answer)
        return answer

    requests.Session.send = send  # type: ignore[method-assign, assignment]


def describe(error: BaseException) -> str:
    """In the words of its first cause: those of the libraries around it hold the address."""
    while (cause := error.__cause__ or error.__context__) is not None:
        error = cause
    return str(error) or type(error).__name__


def guard(heard: Heard, *, allow_private: bool) -> None:
    """From here on; nothing takes it back."""
    is_public = runpy.run_path(str(Path(__file__).with_name("addresses.py")))["is_public"]

    def watch(event: str, arguments: tuple[Any, ...]) -> None:
        if event.startswith(FORBIDDEN):
            raise PermissionError(f"{event} is not allowed here")
        if event in ("socket.connect", "socket.sendto") and not allow_private:
            address = arguments[1]
            host = address[0] if isinstance(address, tuple) else address
            if not is_public(str(host)):
                heard.refused = str(host)
                raise PermissionError(f"{host} is not on the public internet")

    sys.addaudithook(watch)
    requests.Session.resolve_redirects = _follow_none  # type: ignore[method-assign]
    requests.Response.iter_content = _read_some  # type: ignore[method-assign, assignment]


def _follow_none(*_: Any, **__: Any) -> Iterator[Any]:
    return iter(())


def _read_some(response: requests.Response, *arguments: Any, **options: Any) -> Iterator[Any]:
    total, beginning = 0, bytearray()
    response.beginning = beginning  # type: ignore[attr-defined]
    for chunk in _read(response, *arguments, **options):
        beginning += chunk[: KEPT_BYTES - len(beginning)] if isinstance(chunk, bytes) else b""
        yield chunk
        total += len(chunk)
        if total >= MAX_ANSWER_BYTES:
            return


if __name__ == "__main__":
    print(json.dumps(send(json.load(sys.stdin))))
