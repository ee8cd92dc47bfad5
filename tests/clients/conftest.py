"""What the tests of the clients share; the Python client is imported as it lies in its folder."""

import sys
import threading
from collections.abc import Iterator
from http.server import HTTPServer

import pytest

from tests.clients.scripted import Scripted
from tests.server import ROOT

sys.path.insert(0, str(ROOT / "clients" / "python"))


@pytest.fixture
def scripted() -> Iterator[tuple[str, type[Scripted]]]:
    noted: dict[str, list[object]] = {"statuses": [], "seen": [], "agents": [], "paths": []}
    handler = type("Own", (Scripted,), noted)
    server = HTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}", handler
    server.shutdown()
    server.server_close()
