"""People who look at the console, signed in."""

from collections.abc import Callable, Iterator

import pytest
from flask import Flask
from flask.testing import FlaskClient

from app.extensions import db
from app.models import Workspace
from app.workspaces.people import create_user
from tests.channels.receivers import Receiver
from tests.factories import PASSWORD, Team, make_team
from tests.sessions import make_client


@pytest.fixture
def team(app: Flask) -> Team:
    return make_team()


@pytest.fixture
def owner(app: Flask, team: Team) -> FlaskClient:
    """The browser of the team's owner, who also owns the server."""
    return make_client(app, team.email)


@pytest.fixture
def colleague(app: Flask, team: Team) -> Callable[[str], FlaskClient]:
    """Makes the browser of a colleague: `colleague("viewer")`."""

    def make(role: str) -> FlaskClient:
        workspace = db.session.get(Workspace, team.workspace_id)
        assert workspace is not None
        create_user(f"{role}@example.org", PASSWORD, role, workspace)
        return make_client(app, f"{role}@example.org")

    return make


@pytest.fixture
def receiver(app: Flask) -> Iterator[Receiver]:
    """The other side of channels, where the server may send to."""
    app.config["FLOWPULSE_ALLOW_PRIVATE_ADDRESSES"] = True
    with Receiver() as receiver:
        yield receiver
