"""A plugin of the tests: what the page says of a drill that broke, or can't be run here."""

from collections.abc import Generator

import pytest

from tests.drills.record import Found, begin, skip
from tests.drills.reliability import DRILLS

BEGUN: pytest.StashKey[dict[tuple[str, str], Found | None]] = pytest.StashKey()


def rows_of(item: pytest.Item) -> list[tuple[str, str]]:
    """The drills that a test records, each with its database.

    They are named by its mark, in which the test's parameters may stand:
    `@pytest.mark.drill("locked_{seconds}")`. Raises KeyError for one that is on no row of the page.
    """
    mark = item.get_closest_marker("drill")
    callspec = getattr(item, "callspec", None)
    parameters = callspec.params if callspec else {}
    found = []
    for template in mark.args if mark else ():
        name = template.format(**parameters)
        databases = DRILLS[name].databases
        database = str(parameters.get("database_kind", databases[0]))
        if database in databases:
            found.append((name, database))
    return found


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Before anything is made ready for the test."""
    item.stash[BEGUN] = {row: begin(*row) for row in rows_of(item)}


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A test may find out by itself that it can't be run here."""
    report = yield
    if report.skipped:
        for row, before in item.stash.get(BEGUN, {}).items():
            skip(*row, before)
    return report
