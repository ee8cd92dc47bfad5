"""Who signs people in for a proxy, as oauth2-proxy does it: the network's edge in tests."""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from http.cookies import SimpleCookie
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import TypeVar
from urllib.parse import parse_qs, urlencode, urlsplit

COOKIE = "_oauth2_proxy"
HEADER = "X-Auth-Request-Email"
T = TypeVar("T", bound=ThreadingHTTPServer)
START, QUESTION = "/oauth2/start", "Who are you?"


class SignIn(ThreadingHTTPServer):
    """`/oauth2/auth` says who comes (202), or that nobody does (401); `/oauth2/start` signs `comes`
    in and leads back, or asks; `/oauth2/sign_out` ends it. `/` is for Traefik: it says the same as
    `auth`, and leads to the start. `is_silent`: whoever is in has no address."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.people: dict[str, str] = {}
        self.comes = ""
        self.is_silent = False
        self.bodies: list[int] = []
        """How much of a body came along, by question."""


class _Handler(BaseHTTPRequestHandler):
    server: SignIn
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.server.bodies.append(int(self.headers.get("Content-Length") or 0))
        path = urlsplit(self.path).path
        if path == "/oauth2/auth":
            self._tell(401, {})
        elif path == START:
            self._start()
        elif path == "/oauth2/sign_out":
            self.server.people.pop(self._mark, None)
            self._answer(302, {"Location": "/"})
        else:
            # A whole address, as the provider's is: Traefik takes another one for this server's.
            place = self.headers.get("X-Forwarded-Uri", "/")
            forwarded = (self.headers.get(f"X-Forwarded-{name}", "") for name in ("Proto", "Host"))
            start = "://".join(forwarded) + f"{START}?{urlencode({'rd': place})}"
            self._tell(302, {"Location": start})

    do_POST = do_HEAD = do_GET

    @property
    def _mark(self) -> str:
        cookies = SimpleCookie(self.headers.get("Cookie", ""))
        return cookies[COOKIE].value if COOKIE in cookies else ""

    def _tell(self, status: int, headers: dict[str, str]) -> None:
        email = self.server.people.get(self._mark)
        if email is None:
            self._answer(status, headers)
        else:
            self._answer(202, {} if self.server.is_silent else {HEADER: email})

    def _start(self) -> None:
        """The page to come back to is told in the address or, unless it is, in a header."""
        if not self.server.comes:
            self._answer(200, {"Content-Type": "text/html"}, QUESTION)
            return
        mark = secrets.token_urlsafe()
        self.server.people[mark] = self.server.comes
        asked = parse_qs(urlsplit(self.path).query).get("rd", [""])[0]
        back = asked or self.headers.get("X-Auth-Request-Redirect", "/")
        cookie = f"{COOKIE}={mark}; Path=/; HttpOnly"
        self._answer(302, {"Location": back, "Set-Cookie": cookie})

    def _answer(self, status: int, headers: dict[str, str], text: str = "") -> None:
        self.send_response(status)
        for name, value in ({"Content-Length": str(len(text))} | headers).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *_: object) -> None:
        """Nothing."""


class Echo(ThreadingHTTPServer):
    """In FlowPulse's place: keeps the headers of each request."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Echo)
        self.seen: list[dict[str, list[str]]] = []


class _Echo(BaseHTTPRequestHandler):
    server: Echo
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        names = {name.lower() for name in self.headers}
        self.server.seen.append({name: self.headers.get_all(name, []) for name in names})
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Nothing."""


@contextmanager
def serving(server: T) -> Iterator[T]:
    with server:
        thread = Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
