"""A search that has run out of time goes on by itself, until it has found something or all."""

from collections.abc import Callable

from playwright.sync_api import Page, expect
from sqlalchemy import create_engine, func, select, text

from app.models import Event
from tests.main_job.test_live_log import LIVE, open_log
from tests.server import LiveServer, wait_for
from tests.teams import make_live_team

COUNT = 120_000
NEEDLE = "needle in the oldest event"


def count_events(url: str) -> int:
    engine = create_engine(url)
    with engine.begin() as connection:
        return connection.execute(select(func.count(Event.id))).scalar_one()


def copy_newest(url: str, count: int) -> None:
    """Many requests like the one that was stored last: more than a search reads in its time."""
    given = {"id", "public_id"}
    names = ", ".join(column.name for column in Event.__table__.columns if column.name not in given)
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.execute(
            text(
                "WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers "
                f"WHERE n < :count) INSERT INTO events (public_id, {names}) "
                f"SELECT 'copy' || (100000000000 + n) || '00000000', {names} "
                "FROM events, numbers WHERE events.id = (SELECT max(id) FROM events)"
            ),
            {"count": count},
        )
    engine.dispose()


def test_a_search_goes_on_by_itself_and_the_log_stays_live(
    make_server: Callable[..., LiveServer], page: Page
) -> None:
    server = make_server(WEB_CONCURRENCY="1")
    team = make_live_team(server)
    with open_log(server, team, page) as log:
        oldest = log.send(status=400, ended_at=None, metadata={"note": NEEDLE})
        log.send(status=400, ended_at=None)
        wait_for(lambda: count_events(server.database_url) == 2)
        copy_newest(server.database_url, COUNT)
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        log.open(f"?q={NEEDLE.replace(' ', '+')}")
        log.expect_rows([oldest])
        expect(page.locator(LIVE)).to_be_visible()
        assert "before=" not in page.url
        assert [each for each in asked if "before=" in each]  # It did not fit into one page's time.
        newest = log.send(status=400, ended_at=None, metadata={"note": NEEDLE})

        log.expect_rows([newest, oldest])
        log.open("?q=nowhere-to-be-found")
        expect(page.get_by_text("No older event fits")).to_be_visible(timeout=20_000)
        expect(page.locator("#announcer")).to_contain_text("0 events, filtered")
