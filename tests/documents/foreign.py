"""Other systems that the documents' commands ask: what their APIs answered once, on loopback."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

RECORDED = Path(__file__).parents[1] / "importing" / "recorded"
KEY = "your-api-key"
"""As the documents have it."""
LISTS = {
    "/api/v3/checks/": ("X-Api-Key", RECORDED / "healthchecks.json"),
    "/api/v1/workflows": ("X-N8N-API-KEY", RECORDED / "n8n.json"),
}
"""By path: the header that the key has to be in, and the answer."""
HOSTS = (
    "https://healthchecks.io",
    "https://healthchecks.example.org",
    "https://n8n.example.org",
)
"""What they are called in the documents."""


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        header, file = LISTS.get(urlsplit(self.path).path, ("", None))
        status = 404 if file is None else 200 if self.headers[header] == KEY else 401
        body = file.read_bytes() if file and status == 200 else json.dumps({}).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments: object) -> None:
        pass


@contextmanager
def foreign_server() -> Iterator[str]:
    """Its address."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
