"""The other side: a real HTTP receiver and a real SMTP server, on loopback."""

import json
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.parser import BytesParser
from email.policy import default
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, cast

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, LoginPassword

from tests.ports import free_port


@dataclass(frozen=True, slots=True)
class Received:
    """A request as it came in; `headers` have lower-case names."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Reply:
    """What the receiver answers."""

    status: int = 200
    body: bytes = b"ok"
    headers: dict[str, str] = field(default_factory=dict)
    wait_seconds: float = 0.0


class Receiver:
    """Keeps what it gets and answers as `reply` says, and then does `after`;
    `with Receiver() as receiver:`"""

    def __init__(self) -> None:
        self.received: list[Received] = []
        self.reply: Callable[[Received], Reply] = lambda _: Reply()
        self.after: Callable[[Received], None] = lambda _: None
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                length = int(self.headers.get("Content-Length") or 0)
                headers = {name.lower(): value for name, value in self.headers.items()}
                request = Received(self.path, headers, self.rfile.read(length))
                if len(request.body) < length:
                    return  # Whoever sent it was killed meanwhile.
                receiver.received.append(request)
                reply = receiver.reply(request)
                time.sleep(reply.wait_seconds)
                try:
                    self.send_response(reply.status)
                    for name, value in reply.headers.items():
                        self.send_header(name, value)
                    self.send_header("Content-Length", str(len(reply.body)))
                    self.end_headers()
                    self.wfile.write(reply.body)
                except OSError:
                    pass  # Whoever asked is gone: it was killed.
                receiver.after(request)

            def log_message(self, format: str, *args: Any) -> None: ...

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.port = self._server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> "Receiver":
        threading.Thread(target=self._server.serve_forever, args=[0.05], daemon=True).start()
        return self

    def __exit__(self, *error: object) -> None:
        self._server.shutdown()
        self._server.server_close()


class MailBox:
    """An SMTP server that keeps its mails; `refuse` says which addresses it turns away."""

    def __init__(self, **options: Any) -> None:
        self.envelopes: list[Any] = []
        self.refuse: dict[str, str] = {}
        self.port = free_port()
        self._controller = Controller(self, hostname="127.0.0.1", port=self.port, **options)

    async def handle_RCPT(
        self, server: Any, session: Any, envelope: Any, address: str, options: Any
    ) -> str:
        if address in self.refuse:
            return self.refuse[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        self.envelopes.append(envelope)
        return "250 Kept as number 1"

    @property
    def mails(self) -> list[EmailMessage]:
        return [
            cast(EmailMessage, BytesParser(policy=default).parsebytes(each.content))
            for each in self.envelopes
        ]

    @property
    def settings(self) -> dict[str, Any]:
        return {
            "FLOWPULSE_SMTP_HOST": "127.0.0.1",
            "FLOWPULSE_SMTP_PORT": self.port,
            "FLOWPULSE_SMTP_SECURITY": "none",
            "FLOWPULSE_MAIL_FROM": "flowpulse@example.org",
        }

    def __enter__(self) -> "MailBox":
        self._controller.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._controller.stop(no_assert=True)


def only_with(user: str, password: str) -> Callable[..., AuthResult]:
    """An authenticator for MailBox."""

    def check(*arguments: Any) -> AuthResult:
        given = arguments[-1]
        is_right = isinstance(given, LoginPassword) and given == LoginPassword(
            user.encode(), password.encode()
        )
        return AuthResult(success=is_right, handled=False)

    return check


def drip_hello(plug: socket.socket) -> None:
    """TLS's answer to a hello, of 16 KB, that never comes to its end."""
    plug.recv(4096)
    plug.sendall(b"\x16\x03\x03\x40\x00\x02\x00\x3f\xfc")
    drip_bytes(plug)


def drip_bytes(plug: socket.socket) -> None:
    """A byte now and then, until the other side is gone: no read ever waits for long."""
    while True:
        plug.sendall(b"x")
        threading.Event().wait(0.02)
