"""People who look at a live server without JavaScript, signed in by the form."""

import requests

from tests.console import pages
from tests.factories import PASSWORD
from tests.server import LiveServer
from tests.teams import LiveTeam


def sign_in(server: LiveServer, team: LiveTeam, email: str = "") -> requests.Session:
    """A client without JavaScript, signed in as the team's owner or somebody else."""
    session = requests.Session()
    form = pages.Page(session.get(server.url + "/sign-in").text).form("/sign-in")
    fields = {**form.fields, "email": email or team.email, "password": PASSWORD}
    answer = session.post(server.url + form.action, data=fields, allow_redirects=False)
    assert answer.status_code == 303
    return session


def send_form(
    session: requests.Session, server: LiveServer, path: str, **fields: str | list[str]
) -> requests.Response:
    """Open the page, fill in its form with this address, and send it."""
    form = pages.Page(session.get(server.url + path).text).form(path)
    return session.post(
        server.url + path, data={**form.fields, **fields}, allow_redirects=False, timeout=30
    )
