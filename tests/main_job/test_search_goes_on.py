"""A search that has run out of time goes on by itself, until it has found something or all."""

from collections.abc import Callable

from playwright.sync_api import Page, expect
from sqlalchemy import create_engine, func, select, text

from app.models import Event, Run
from tests.main_job.test_live_log import LIVE, open_log
from tests.server import LiveServer, wait_for
from tests.teams import make_live_team

COUNT = 120_000
NEEDLE = "needle in the oldest event"


def count(url: str, model: type[Event] | type[Run]) -> int:
    engine = create_engine(url)
    with engine.begin() as connection:
        return connection.execute(select(func.count(model.id))).scalar_one()


def copy_newest(url: str, model: type[Event] | type[Run]) -> None:
    """Many like the one that was stored last, a second apart: more than a search reads in its
    time."""
    table = model.__tablename__
    own = {"id", "public_id", "external_execution_id"}
    names = [column.name for column in model.__table__.columns if column.name not in own]
    later = "strftime('%Y-%m-%dT%H:%M:%S.000000', ended_at, n || ' seconds')"
    values = [later if name == "ended_at" else name for name in names]
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.execute(
            text(
                "WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers "
                f"WHERE n < :count) INSERT INTO {table} (public_id, {', '.join(names)}) "
                f"SELECT 'copy' || (100000000000 + n) || '00000000', {', '.join(values)} "
                f"FROM {table}, numbers WHERE {table}.id = (SELECT max(id) FROM {table})"
            ),
            {"count": COUNT},
        )
    engine.dispose()


def lose_first(page: Page, pattern: str) -> None:
    """As while the server starts anew."""
    page.route(pattern, lambda route: route.abort(), times=1)


def test_a_search_goes_on_by_itself_and_the_log_stays_live(
    make_server: Callable[..., LiveServer], page: Page
) -> None:
    server = make_server(WEB_CONCURRENCY="1")
    team = make_live_team(server)
    with open_log(server, team, page) as log:
        oldest = log.send(status=400, ended_at=None, metadata={"note": NEEDLE})
        log.send(status=400, ended_at=None)
        wait_for(lambda: count(server.database_url, Event) == 2)
        copy_newest(server.database_url, Event)
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        log.open(f"?q={NEEDLE.replace(' ', '+')}")
        log.expect_rows([oldest])
        expect(page.locator(LIVE)).to_be_visible()
        assert "before=" not in page.url
        assert [each for each in asked if "before=" in each]  # It did not fit into one page's time.
        newest = log.send(status=400, ended_at=None, metadata={"note": NEEDLE})

        log.expect_rows([newest, oldest])
        lose_first(page, "**/events?*before=*")
        log.open("?q=nowhere-to-be-found")
        page.locator("#go-on").focus()
        expect(page.get_by_text("No event fits")).to_be_visible(timeout=20_000)
        expect(page.get_by_role("link", name="Clear the filter")).to_be_visible()
        expect(page.locator("#announcer")).to_contain_text("0 events, filtered")
        expect(page.locator("#main")).to_be_focused()


def test_a_search_for_runs_goes_on_by_itself(
    make_server: Callable[..., LiveServer], page: Page
) -> None:
    server = make_server(WEB_CONCURRENCY="1")
    team = make_live_team(server)
    with open_log(server, team, page) as log:
        log.send("failure", error_message=NEEDLE)
        log.send()
        wait_for(lambda: count(server.database_url, Run) == 2)
        copy_newest(server.database_url, Run)
        page.goto(f"{server.url}/runs?q={NEEDLE.replace(' ', '+')}")
        rows = page.locator(".log-rest tbody > tr")
        expect(rows).to_have_count(1, timeout=20_000)
        expect(rows).to_contain_text(NEEDLE)
        page.goto(f"{server.url}/runs?q=nowhere-to-be-found")
        expect(page.get_by_text("No run fits")).to_be_visible(timeout=20_000)
