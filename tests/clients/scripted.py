"""A server that answers as a test tells it to, for what the real one does not do on demand."""

import json
from http.server import BaseHTTPRequestHandler
from typing import Any


class Scripted(BaseHTTPRequestHandler):
    """Answers with the statuses listed, one a request, and notes what came."""

    statuses: list[int]
    seen: list[tuple[str | None, bytes]]
    agents: list[str | None]
    paths: list[str]
    retry_after = "0"
    answer = json.dumps({"event_id": "e", "status": "accepted"}).encode()

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.seen.append((self.headers["Idempotency-Key"], body))
        self.agents.append(self.headers["User-Agent"])
        self.paths.append(self.path)
        self.send_response(self.statuses.pop(0))
        self.send_header("Retry-After", self.retry_after)
        self.send_header("Location", "http://127.0.0.1:9/elsewhere")
        self.end_headers()
        self.wfile.write(self.answer)

    def log_message(self, *_: Any) -> None:
        """Nothing into the tests' output."""
