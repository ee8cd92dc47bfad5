"""The yardstick of the benchmark starts under the server's own settings."""

import re

from bench import bare
from tests.server import ROOT

SET_BY_THE_SERVER = {"flowpulse_stopping"}
ONLY_FOR_BROKEN_REQUESTS = {"flowpulse_unread"}


def test_the_bare_view_has_all_that_the_servers_settings_ask_of_an_app() -> None:
    files = [ROOT / "gunicorn.conf.py", *(ROOT / "serving").glob("*.py")]
    asked = {name for file in files for name in re.findall(r'ions\["(\w+)"\]', file.read_text())}
    assert "flowpulse_ingest" in asked
    assert asked - SET_BY_THE_SERVER - ONLY_FOR_BROKEN_REQUESTS <= set(bare.app.extensions)
