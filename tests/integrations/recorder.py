"""Stands between a sender and FlowPulse, and keeps what is sent."""

import re
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any, NamedTuple

import requests

from tests.server import wait_for


class Request(NamedTuple):
    path: str
    headers: dict[str, str]
    body: str

    def header(self, name: str) -> str:
        return {each.lower(): value for each, value in self.headers.items()}[name]


class Recorder:
    """Keeps what comes, and hands it on to FlowPulse: `first` are answers to give instead."""

    def __init__(self, flowpulse: str) -> None:
        self.requests: list[Request] = []
        self.first: list[int] = []
        self.is_away = False
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                request = Request(self.path, dict(self.headers.items()), body.decode())
                if outer.is_away:
                    outer.requests.append(request)
                    self.close_connection = True
                    return
                status, text = outer.answer(flowpulse, request)
                outer.requests.append(request)
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            def log_message(self, *words: object) -> None:
                """Not said."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        Thread(target=self.server.serve_forever, daemon=True).start()

    def answer(self, flowpulse: str, request: Request) -> tuple[int, bytes]:
        if not request.path.startswith("/api/"):
            return 200, b"{}"
        kept = {n: v for n, v in request.headers.items() if n.lower() not in ("host", "connection")}
        answer = requests.post(flowpulse + request.path, data=request.body.encode(), headers=kept)
        assert answer.status_code == 202, answer.text
        if self.first:
            return self.first.pop(0), b"{}"
        return answer.status_code, answer.content

    def take(self, count: int, seconds: float = 60) -> list[Request]:
        """What has come since the last time, once it is this many."""
        wait_for(lambda: len(self.requests) >= count, seconds)
        taken, self.requests = self.requests, []
        return taken


def without_secrets(request: Request, names: dict[str, str]) -> dict[str, Any]:
    """As a fixture: stand-ins for what is this recording's own."""

    def replace(text: str) -> str:
        return re.sub("|".join(map(re.escape, names)), lambda found: names[found[0]], text)

    left_out = {"host", "connection", "content-length"}
    headers = {n: replace(v) for n, v in request.headers.items() if n.lower() not in left_out}
    return {"path": request.path, "headers": headers, "body": replace(request.body)}
