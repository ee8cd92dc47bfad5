"""Which scheduled backups are kept, and that nothing else is ever removed."""

import os
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from flask import Flask

from app.backups.keeping import DRAFT_SECONDS, auto_name, choose_kept, remove_past

LAST = datetime(2026, 3, 20, 3, 15, tzinfo=UTC)


def name_of(moment: datetime) -> str:
    return f"flowpulse-auto-{moment:%Y%m%d-%H%M%S}.db"


@pytest.mark.parametrize(("daily", "weekly"), [(1, 0), (7, 0), (7, 4), (3, 8), (400, 52)])
def test_of_a_year_of_days_the_last_days_and_weeks_are_kept(daily: int, weekly: int) -> None:
    made = [LAST - timedelta(days=each) for each in range(365)]
    kept = sorted(choose_kept([name_of(each) for each in made], daily, weekly), reverse=True)
    assert kept[: min(daily, 365)] == [name_of(each) for each in made[:daily]]
    weeks = {datetime.strptime(each[15:23], "%Y%m%d").isocalendar()[:2] for each in kept}
    assert len(weeks) >= min(weekly, 52)
    assert len(kept) <= daily + weekly


def test_of_several_on_one_day_the_last_is_kept() -> None:
    made = [name_of(LAST + timedelta(hours=each)) for each in range(3)]
    assert choose_kept(made, 7, 4) == {made[-1]}


def test_the_newest_is_kept_whatever_is_set_and_days_without_any_do_not_count() -> None:
    made = [name_of(LAST - timedelta(days=each)) for each in (400, 200, 100)]
    assert choose_kept(made, 0, 0) == {made[-1]}
    assert choose_kept(made, 3, 0) == set(made), "nothing goes because a server was off"


def test_what_is_named_otherwise_stays(tmp_path: Path) -> None:
    others = [
        "flowpulse-20200101-000000.db",
        "flowpulse-auto-20200101-000000.db.gz",
        "flowpulse-auto-20209901-000000.db",
        "flowpulse-auto-notes.db",
        "my flowpulse-auto-20200101-000000.db",
        ".flowpulse-auto-20200101-000000.db.zz",
        "secret_key",
    ]
    old, new = name_of(LAST - timedelta(days=90)), name_of(LAST)
    for name in (*others, old, new):
        (tmp_path / name).touch()
    assert remove_past(tmp_path, 1, 0) == [tmp_path / old]
    assert {path.name for path in tmp_path.iterdir()} == {*others, new}


def test_what_a_killed_backup_left_goes_after_a_day(tmp_path: Path) -> None:
    drafts = [tmp_path / f".{name_of(LAST)}.{each * 8}" for each in "ab"]
    for draft in drafts:
        draft.touch()
    long_ago = time.time() - DRAFT_SECONDS - 60
    os.utime(drafts[0], (long_ago, long_ago))
    assert remove_past(tmp_path, 7, 4) == [drafts[0]]
    assert drafts[1].exists()


def test_its_own_names_are_known(app: Flask) -> None:
    name = auto_name()
    assert choose_kept([name], 1, 0) == {name}
