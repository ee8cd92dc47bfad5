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
from pathlib import Path
from typing import Any

import apprise
import requests

MAX_ANSWER_BYTES = 64 * 1024
READ_SECONDS = 10
FORBIDDEN = ("subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.fork", "ctypes.")
_read = requests.Response.iter_content


def send(order: dict[str, Any]) -> dict[str, Any]:
    log = io.StringIO()
    handler = logging.StreamHandler(log)
    handler.setLevel(logging.INFO)
    logging.getLogger("apprise").addHandler(handler)
    logging.getLogger("apprise").setLevel(logging.INFO)
    socket.setdefaulttimeout(READ_SECONDS)
    guard(allow_private=order["allow_private"])
    is_sent = notify(order["url"], order["title"], order["body"])
    return {"ok": is_sent, "log": log.getvalue()[:MAX_ANSWER_BYTES]}


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


def guard(*, allow_private: bool) -> None:
    """From here on; nothing takes it back."""
    is_public = runpy.run_path(str(Path(__file__).with_name("addresses.py")))["is_public"]

    def watch(event: str, arguments: tuple[Any, ...]) -> None:
        if event.startswith(FORBIDDEN):
            raise PermissionError(f"{event} is not allowed here")
        if event in ("socket.connect", "socket.sendto") and not allow_private:
            address = arguments[1]
            host = address[0] if isinstance(address, tuple) else address
            if not is_public(str(host)):
                raise PermissionError(f"{host} is not on the public internet")

    sys.addaudithook(watch)
    requests.Session.resolve_redirects = _follow_none  # type: ignore[method-assign]
    requests.Response.iter_content = _read_some  # type: ignore[method-assign, assignment]


def _follow_none(*_: Any, **__: Any) -> Iterator[Any]:
    return iter(())


def _read_some(response: requests.Response, *arguments: Any, **options: Any) -> Iterator[Any]:
    total = 0
    for chunk in _read(response, *arguments, **options):
        yield chunk
        total += len(chunk)
        if total >= MAX_ANSWER_BYTES:
            return


if __name__ == "__main__":
    print(json.dumps(send(json.load(sys.stdin))))
