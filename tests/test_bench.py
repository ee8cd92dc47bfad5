"""The yardstick of the benchmark starts under the server's own settings."""

import re

from bench import bare
from tests.server import ROOT

SET_BY_THE_SERVER = {"flowpulse_stopping"}
ONLY_FOR_BROKEN_REQUESTS = {"flowpulse_unread"}


def test_the_bare_view_has_all_that_the_servers_settings_ask_of_an_app() -> None:
    asked = set(re.findall(r'extensions\["(\w+)"\]', (ROOT / "gunicorn.conf.py").read_text()))
    assert asked - SET_BY_THE_SERVER - ONLY_FOR_BROKEN_REQUESTS <= set(bare.app.extensions)
