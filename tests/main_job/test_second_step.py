"""A code of the second step counts once, on the real server with its two processes."""

from concurrent.futures import ThreadPoolExecutor

import requests

from tests.apps import close_app, make_app
from tests.console import pages
from tests.console.test_two_factor import CODE_PATH, code_of, switch_on
from tests.factories import PASSWORD
from tests.server import LiveServer
from tests.teams import LiveTeam

VISITORS = 8


def test_of_eight_who_come_with_one_code_at_the_same_moment_one_gets_in(
    live_server: LiveServer, own_team: LiveTeam
) -> None:
    server, email = live_server, own_team.email
    app = make_app(server.database_url, server.data_dir)
    with app.app_context():
        secret, _ = switch_on(email)
    close_app(app)

    def take_first_step(_: int) -> tuple[requests.Session, dict[str, str]]:
        visitor = requests.Session()
        form = pages.Page(visitor.get(server.url + "/sign-in").text).form("/sign-in")
        data = {**form.fields, "email": email, "password": PASSWORD}
        page = pages.Page(visitor.post(server.url + "/sign-in", data=data, timeout=60).text)
        return visitor, page.form(CODE_PATH).fields

    def take_second_step(visit: tuple[requests.Session, dict[str, str]]) -> int:
        visitor, fields = visit
        answer = visitor.post(
            server.url + CODE_PATH,
            data={**fields, "code": code},
            headers={"Connection": "close"},
            allow_redirects=False,
            timeout=60,
        )
        return answer.status_code

    visits = [take_first_step(number) for number in range(VISITORS)]
    code = code_of(secret)
    with ThreadPoolExecutor(VISITORS) as pool:
        statuses = sorted(pool.map(take_second_step, visits))
    assert statuses == [303] + [422] * (VISITORS - 1)
