"""An open live log holds up no stop."""

import re
import signal
import time
from collections.abc import Callable

import pytest
import requests

from tests.factories import PASSWORD
from tests.server import LiveServer
from tests.teams import make_live_team

ENDS_WITHIN_SECONDS = 1
SLACK_SECONDS = 1


@pytest.mark.alone
@pytest.mark.once
def test_an_open_stream_ends_within_a_second_of_sigterm(
    make_server: Callable[..., LiveServer],
) -> None:
    server = make_server(worker=False)
    team = make_live_team(server)
    with requests.Session() as session:
        form = session.get(server.url + "/sign-in", timeout=30).text
        token = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', form)
        assert token is not None
        fields = {"email": team.email, "password": PASSWORD, "csrf_token": token[1]}
        assert session.post(server.url + "/sign-in", fields, timeout=30).status_code == 200
        address = server.url + "/events/stream"
        with session.get(address, stream=True, timeout=30) as stream:
            assert stream.headers["Content-Type"].startswith("text/event-stream")
            pieces = stream.iter_content(1024)
            assert b"beat" in next(pieces)
            began = time.monotonic()
            server.processes["web"].send_signal(signal.SIGTERM)
            for _ in pieces:
                pass
            assert time.monotonic() - began < ENDS_WITHIN_SECONDS + SLACK_SECONDS
    server.processes["web"].wait(20)
