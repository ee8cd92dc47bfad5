"""More comes than anybody can read: what is not told is counted, and nothing is told twice."""

from collections.abc import Iterable, Iterator
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import update

from app.clock import now
from app.console import flood
from app.console import tail as tail_module
from app.console.event_filter import EventFilter, read_filter
from app.console.flood import Budget
from app.console.notices import Gap, Told
from app.console.stream import Reader, Templates, catch_up
from app.console.tail import Subscription, Tail, drain
from app.extensions import db, writing
from app.models import Event
from tests.console.pages import Page, open_page
from tests.factories import Team, accepted_row, make_team
from tests.server import wait_for

BURST = 50
FLOOD = 150


class Clock:
    """Stands still until it is told to go on."""

    seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


class Log:
    """A process whose log is open in some pages."""

    def __init__(self, app: Flask, team: Team, burst: int = BURST, **budget: int) -> None:
        self.team, self.clock = team, Clock()
        self.tail = Tail(app, Budget(self.clock, burst, **budget))

    def open(self, **filter: str) -> "OpenPage":
        wanted = read_filter(filter, self.team.workspace_id)
        page = OpenPage(self.tail.subscribe(wanted, [self.team.workspace_id]), wanted)
        db.session.remove()
        return page

    def send(self, count: int, **columns: Any) -> list[int]:
        """So many events at once; their ids."""
        row = {**accepted_row(now()), "workspace_id": self.team.workspace_id, **columns}
        with writing() as session:
            events = [Event(**row) for _ in range(count)]
            session.add_all(events)
            session.flush()
            return [event.id for event in events]


class OpenPage:
    """What an open page was told."""

    def __init__(self, subscription: Subscription, wanted: EventFilter) -> None:
        self.subscription, self.wanted = subscription, wanted
        self.items: list[Told | Gap] = []
        self.cursor: int | None = None

    def read(self) -> bool:
        for batch in drain(self.subscription, 0.05):
            for each in batch.items:
                self.items.append(each)
                self.cursor = each.cursor or self.cursor
        return True

    @property
    def gaps(self) -> list[Gap]:
        return [each for each in self.items if isinstance(each, Gap)]

    @property
    def left_out(self) -> int:
        return sum(gap.count for gap in self.gaps)

    def told(self, form: str = "new") -> list[int]:
        rows = (each for each in self.items if isinstance(each, Told) and each.form == form)
        return [each.notice.event.id for each in rows]

    def hears_of(self, count: int) -> None:
        wait_for(lambda: self.read() and len(self.told()) + self.left_out >= count, 20)

    def accounts_for(self, ids: Iterable[int]) -> None:
        """Each was told, or counted in the gap that it lies in; none was both, and all in order."""
        expected, told = set(ids), self.told()
        assert told == sorted(set(told)) and set(told) <= expected
        untold = sorted(expected - set(told))
        for gap in self.gaps:
            within = [each for each in untold if gap.first <= each <= gap.last]
            assert (within[0], within[-1], len(within)) == (gap.first, gap.last, gap.count)
        assert self.left_out == len(untold)
        cursors = [each.cursor for each in self.items if each.cursor]
        assert cursors == sorted(cursors)


@pytest.fixture
def log(app: Flask, team: Team, monkeypatch: pytest.MonkeyPatch) -> Iterator[Log]:
    monkeypatch.setattr(flood, "FLOODED_SECONDS", flood.POLL_SECONDS)
    log = Log(app, team)
    yield log
    close(log)


def close(log: Log) -> None:
    for view in list(log.tail._views.values()):
        for each in list(view.subscriptions):
            log.tail.unsubscribe(each)
    wait_for(lambda: log.tail._thread is None)


def test_a_burst_at_the_full_hour_is_told_whole(app: Flask, team: Team) -> None:
    log = Log(app, team, flood.BURST)
    page = log.open()
    ids = log.send(300)
    page.hears_of(300)
    assert (page.told(), page.gaps) == (ids, [])
    close(log)


def test_a_flood_is_thinned_out_and_each_event_is_told_or_counted(log: Log) -> None:
    page = log.open()
    ids = [*log.send(FLOOD), *log.send(FLOOD)]
    page.hears_of(len(ids))
    page.accounts_for(ids)
    assert len(page.told()) == BURST


def test_the_newest_of_a_look_are_those_that_are_told(log: Log) -> None:
    page = log.open()
    ids = log.send(FLOOD)
    page.hears_of(FLOOD)
    assert page.gaps == [Gap(ids[0], ids[-BURST - 1], FLOOD - BURST, ids[-BURST - 1])]
    assert page.told() == ids[-BURST:]
    assert page.items[0] is page.gaps[0]


def test_after_a_while_rows_are_told_again(log: Log) -> None:
    page = log.open()
    ids = log.send(FLOOD)
    page.hears_of(FLOOD)
    log.clock.seconds += 1
    ids += log.send(100)
    page.hears_of(FLOOD + 100)
    page.accounts_for(ids)
    assert len(page.told()) == BURST + 40
    log.clock.seconds += 60
    later = log.send(BURST)
    page.hears_of(FLOOD + 100 + BURST)
    assert page.told()[-BURST:] == later


def test_whoever_comes_back_in_the_middle_of_a_flood_misses_nothing(log: Log) -> None:
    first = log.open()
    ids = log.send(FLOOD)
    first.hears_of(FLOOD)
    log.tail.unsubscribe(first.subscription)
    ids += log.send(FLOOD)
    again = log.open()
    cursor, position = first.cursor, again.subscription.position
    assert cursor == ids[FLOOD - 1]
    ids += log.send(FLOOD)
    after = [each for each in ids if each > position]
    again.hears_of(len(after))
    first.accounts_for(each for each in ids if each <= cursor)
    again.accounts_for(after)


def test_behind_a_gap_a_page_goes_on_even_if_no_row_was_told(log: Log) -> None:
    page = log.open()
    log.send(BURST)
    page.hears_of(BURST)
    ids = log.send(20)
    page.hears_of(BURST + 20)
    assert page.gaps[-1].count == 20 and page.cursor == ids[-1]


def test_pages_with_filters_are_told_and_counted_by_what_fits(log: Log) -> None:
    everything, few, many = log.open(), log.open(platform="n8n"), log.open(platform="make")
    ids, mine, others = [], [], []
    for _ in range(4):
        mine += log.send(10, platform="n8n")
        others += log.send(FLOOD, platform="make")
    ids = sorted([*mine, *others])
    for page, fitting in ((everything, ids), (few, mine), (many, others)):
        page.hears_of(len(fitting))
        page.accounts_for(fitting)
    assert few.told() == mine and few.gaps == []
    assert len(many.told()) == BURST


def test_each_page_that_sees_the_same_is_told_the_same(log: Log) -> None:
    one, other = log.open(), log.open()
    ids = log.send(FLOOD)
    for page in (one, other):
        page.hears_of(FLOOD)
        page.accounts_for(ids)
    assert one.items == other.items


def test_another_team_is_neither_told_of_nor_counted(log: Log) -> None:
    foreign = make_team("Foreign", first=False)
    page = log.open()
    log.send(FLOOD, workspace_id=foreign.workspace_id)
    ids = log.send(3)
    page.hears_of(3)
    assert (page.told(), page.gaps) == (ids, [])


def finish(ids: Iterable[int], state: str = "processed") -> None:
    """As the worker does; in parts that a statement can list."""
    listed = list(ids)
    with writing() as session:
        for start in range(0, len(listed), 1_000):
            part = Event.id.in_(listed[start : start + 1_000])
            session.execute(update(Event).where(part).values(state=state, next_attempt_at=None))


def test_only_rows_that_were_told_are_told_to_have_changed(log: Log) -> None:
    page = log.open()
    ids = log.send(FLOOD)
    page.hears_of(FLOOD)
    finish(ids)
    wait_for(lambda: page.read() and len(page.told("changed")) >= BURST)
    page.accounts_for(ids)
    assert sorted(page.told("changed")) == ids[-BURST:]


def test_what_comes_to_fit_in_a_flood_is_told_or_counted_once(log: Log) -> None:
    done, waiting = log.open(state="processed"), log.open(state="accepted")
    ids = log.send(FLOOD)
    waiting.hears_of(FLOOD)
    finish(ids)
    done.hears_of(FLOOD)
    done.accounts_for(ids)
    assert len(done.told()) == BURST and done.cursor is None
    waiting.accounts_for(ids)
    wait_for(lambda: waiting.read() and len(waiting.told("gone")) >= BURST)
    assert sorted(waiting.told("gone")) == waiting.told()


def test_what_fitted_at_once_is_not_told_as_new_once_it_is_processed(log: Log) -> None:
    page = log.open(q="boom")
    ids = log.send(FLOOD, body=b"boom")
    page.hears_of(FLOOD)
    finish(ids)
    wait_for(lambda: page.read() and len(page.told("changed")) >= BURST)
    page.accounts_for(ids)


def test_a_page_is_told_where_more_may_come_to_fit_than_is_followed(
    log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tail_module, "MAX_COMING", 40)
    page = log.open(state="processed")
    ids = log.send(90)
    wait_for(lambda: page.read() and page.gaps)
    assert page.gaps == [Gap(ids[0], ids[49], 0, is_least=True)]
    finish(ids)
    page.hears_of(40)
    assert page.told() == ids[50:]


def test_a_gap_says_how_many_and_leads_to_what_was_left_out(
    app: Flask, owner: FlaskClient, log: Log
) -> None:
    """The page's filter goes with it."""
    page = log.open(platform="n8n")
    ids = log.send(BURST + 4, platform="n8n")
    batches = wait_for(lambda: list(drain(page.subscription, 0.05)))
    with app.test_request_context():
        text = "".join(batch.text(Templates()) for batch in batches)
    assert f'id: {ids[3]}\ndata: <tr id="gap-{ids[0]}-{ids[3]}"' in text
    assert f"id: {ids[-1]}\n" in text
    told = Page("".join(line[6:] for line in text.splitlines() if line.startswith("data: ")))
    assert "4 more came at the same time · Show them" in told.text
    link = next(each for each in told.links if "before=" in each)
    assert link == f"/events?platform=n8n&before={ids[4]}"
    rows = [values for _, values in open_page(owner, link).tags if "data-cursor" in values]
    assert [values["data-cursor"] for values in rows] == [str(each) for each in ids[3::-1]]


@pytest.mark.parametrize("filter", [{}, {"platform": "n8n"}, {"q": "boom"}])
def test_of_what_very_many_pages_missed_each_is_told_the_newest_and_how_many_more(
    app: Flask, team: Team, filter: dict[str, str]
) -> None:
    log = Log(app, team, returning=60)
    ids = log.send(40, platform="n8n", body=b"boom", state="processed", next_attempt_at=None)
    pages = [log.open(**filter) for _ in range(3)]
    texts = []
    for page in pages:
        reader = Reader([team.workspace_id], page.wanted, ids[0] - 1, ids[0])
        with app.test_request_context():
            texts.append("".join(catch_up(log.tail, page.subscription, reader)))
    shown = [[each for each in ids if f'data-cursor="{each}" data-s' in text] for text in texts]
    assert [len(each) for each in shown] == [40, 20, 0] and shown[1] == ids[20:]
    assert "gap-" not in texts[0] and texts[1].index("gap-") < texts[1].index("event-")
    for text, count in ((texts[1], 20), (texts[2], 40)):
        assert f'id="gap-{ids[0]}-{ids[count - 1]}"' in text and f'data-gap="{count}"' in text
    close(log)


def test_what_the_worker_sees_to_while_a_look_is_at_it_is_told(
    app: Flask, team: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the question what fits and any other one."""
    log = Log(app, team)
    page, ask = log.open(state="processed"), tail_module.fitting

    def ask_and_be_overtaken(*given: Any) -> set[int]:
        found = ask(*given)
        with writing() as session:
            session.execute(update(Event).values(state="processed"))
        return found

    monkeypatch.setattr(tail_module, "fitting", ask_and_be_overtaken)
    sent = log.send(1)
    wait_for(lambda: page.read() and [each for each in page.items if isinstance(each, Told)])
    assert [each.notice.event.id for each in page.items if isinstance(each, Told)] == sent
    log.tail.unsubscribe(page.subscription)
