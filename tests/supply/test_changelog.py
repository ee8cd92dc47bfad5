"""The changelog keeps its form through releases, and nobody's words are lost."""

from datetime import date

import pytest

from supply.changelog import read_changelog
from tests.server import ROOT

HEAD = "# Changelog\n\nThe form is that of Keep a Changelog.\n\n"
NEWS = "### Added\n\n- One thing,\n  on two lines.\n\n### Fixed\n\n- Another."
FIRST = f"""{HEAD}## [Unreleased]

## [1.0.0] - 2026-12-01

{NEWS}

[Unreleased]: ../../compare/v1.0.0...HEAD
[1.0.0]: ../../releases/tag/v1.0.0
"""
SECOND = f"""{HEAD}## [Unreleased]

## [1.1.0] - 2027-01-02

### Changed

- A third.

## [1.0.0] - 2026-12-01

{NEWS}

[Unreleased]: ../../compare/v1.1.0...HEAD
[1.1.0]: ../../compare/v1.0.0...v1.1.0
[1.0.0]: ../../releases/tag/v1.0.0
"""


def test_what_is_unreleased_becomes_a_release_and_then_the_next_one() -> None:
    changelog = read_changelog(f"{HEAD}## [Unreleased]\n\n{NEWS}\n")
    assert changelog.has_news
    first = changelog.released("1.0.0", date(2026, 12, 1)).render()
    assert first == FIRST
    more = first.replace("## [Unreleased]\n", "## [Unreleased]\n\n### Changed\n\n- A third.\n")
    second = read_changelog(more).released("1.1.0", date(2027, 1, 2))
    assert second.render() == SECOND
    assert read_changelog(SECOND).notes_of("1.0.0") == NEWS
    assert [each.name for each in second.releases] == ["1.1.0", "1.0.0"]


def test_a_release_that_is_there_stays_as_it_is_on_another_day_too() -> None:
    assert read_changelog(FIRST).released("1.0.0", date(2027, 1, 1)).render() == FIRST


@pytest.mark.parametrize("text", ["", "### Added\n\n### Fixed\n", "Soon."])
def test_headings_alone_are_no_news(text: str) -> None:
    assert not read_changelog(f"{HEAD}## [Unreleased]\n\n{text}").has_news


@pytest.mark.parametrize("text", [FIRST, SECOND, (ROOT / "CHANGELOG.md").read_text()])
def test_it_is_written_as_it_was_read(text: str) -> None:
    assert read_changelog(text).render() == text
