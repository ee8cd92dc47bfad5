"""The yardstick of the benchmark starts under the server's own settings."""

import re

from bench import bare, purge
from tests.server import ROOT

SET_BY_THE_SERVER = {"flowpulse_stopping"}
ONLY_FOR_BROKEN_REQUESTS = {"flowpulse_unread"}


def test_the_bare_view_has_all_that_the_servers_settings_ask_of_an_app() -> None:
    asked = set(re.findall(r'extensions\["(\w+)"\]', (ROOT / "gunicorn.conf.py").read_text()))
    assert asked - SET_BY_THE_SERVER - ONLY_FOR_BROKEN_REQUESTS <= set(bare.app.extensions)


def test_the_report_on_purging_tells_what_senders_notice_and_how_long_the_lock_is_held() -> None:
    answers = [purge.Answer(number, 5.0 + number, True) for number in range(10)]
    slow = [purge.Answer(number, 10.0 + number, number > 0) for number in range(10)]
    notes = [purge.Note(number, 100, 60.0 if number == 4 else 10.0) for number in range(5)]
    figures = purge.Figures(answers, slow, answers, notes, 42)
    report = purge.describe({"SQLite": figures, "PostgreSQL": figures}, 1_000)
    assert "| | SQLite | PostgreSQL |" in report
    for row in (
        "answers other than 202 | 1 | 1",
        "write lock held: longest ms | 60.0 | 60.0",
        "batches over 50 ms | 1 of 5 | 1 of 5",
        "rows removed a second | 125 | 125",
        "rows left | 42 | 42",
    ):
        assert f"| {row} |" in report
