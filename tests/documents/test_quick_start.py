"""docs/quick-start.md is walked from its first command to its last picture, as it stands."""

import re
import signal
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from bench.newcomer import ADDRESS, Newcomer, read_steps
from bench.quick_start import read_link, started
from tests.ports import free_port
from tests.server import ROOT, answers, test_environment

pytestmark = pytest.mark.once


def pattern_of(printed: str, url: str) -> str:
    """What stands for the reader's own, such as `q3k…`, may be anything."""
    told = re.escape(printed.strip().replace(ADDRESS, url))
    return re.sub(r"\w*…", r"\\w+", told.replace(r"token=…", r"token=\S+"))


def test_a_newcomer_comes_from_the_first_command_to_a_request_that_is_mended(
    page: Page, tmp_path: Path
) -> None:
    port = free_port()
    url, settings = f"http://127.0.0.1:{port}", test_environment(tmp_path / "data", "", port)
    first, _, _, fourth, fifth = read_steps()
    with started(ROOT, settings) as process:
        said = read_link(process)
        (printed,) = first.printed
        assert re.search(pattern_of(printed, url), said), said
        newcomer = Newcomer(page, url)
        newcomer.set_up(said.split()[-1])
        newcomer.make_key()
        (answer,) = fourth.printed
        assert re.fullmatch(pattern_of(answer, url), newcomer.send_first().strip())
        newcomer.see()
        (short,) = fourth.commands
        assert re.fullmatch(pattern_of(answer, url), newcomer.run(short).strip())
        failure, wrong = fifth.commands
        assert '"accepted"' in newcomer.run(failure)
        expect(page.locator("#events > tr")).to_have_count(3)
        refused = newcomer.run(wrong)
        assert '"validation_failed"' in refused and "ended_at" in refused
        row = page.locator("#events > tr").first
        expect(row).to_contain_text("Rejected")
        expect(page.locator("#events > tr")).to_have_count(4)
        row.locator("a.row-link").click()
        expect(page.get_by_text("Why this request was refused")).to_be_visible()
        expect(page.get_by_text("This is the body that would be accepted")).to_be_visible()
        page.get_by_role("button", name="Send the corrected request").click()
        expect(page.get_by_text("The request was accepted.")).to_be_visible()
    assert process.returncode in (0, -signal.SIGINT, 130) and not answers(url)


def test_the_steps_say_what_to_press_and_to_run() -> None:
    """Where one is taken away, the walk has nothing to do there, and must not pass by that."""
    first, second, third, fourth, fifth = read_steps()
    assert [len(each.commands) for each in (first, second, third, fourth, fifth)] == [1, 0, 0, 1, 2]
    assert [len(each.pressed) for each in (second, third, fourth, fifth)] == [1, 3, 1, 2]
