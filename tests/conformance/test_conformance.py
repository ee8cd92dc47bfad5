"""The server does what its OpenAPI document says, and refuses what it does not: schemathesis."""

import re
from collections.abc import Callable

import pytest

from tests.conformance.running import SETTINGS, check, furnish
from tests.server import LiveServer
from tests.teams import make_live_team

FEWEST = 500
"""So many requests at least: the bounds of each field take more than these."""


@pytest.mark.once
@pytest.mark.parametrize(("has_key", "examples"), [(True, 3), (False, 1)])
def test_the_server_does_what_its_document_says(
    make_server: Callable[..., LiveServer], has_key: bool, examples: int
) -> None:
    """A short form of `make conformance`: mostly each field's bounds, and few random examples."""
    server = make_server(**SETTINGS)
    team = make_live_team(server)
    furnish(server, team)
    done = check(server, team.headers if has_key else {}, examples)
    assert done.returncode == 0, done.stdout[-15_000:] + done.stderr[-2_000:]
    counts = [int(text) for text in re.findall(r"(\d+) generated", done.stdout)]
    assert sum(counts) >= FEWEST, done.stdout[-3_000:]
