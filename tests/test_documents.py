"""Nothing in the documents is typed twice: the drawn tables are fresh, the links lead somewhere."""

import re

import pytest

from app.config import SETTINGS
from app.extensions import db
from app.ingest.batch_body import MOST_EVENTS
from app.ingest.limits import BURST_FACTOR
from bench.subjects import LIMITS_ON
from docs.tables import PAGES, ROOT
from tests.drills import record, reliability
from tests.pictures.pages import IMAGES, list_pictures

DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")])
MOST_BYTES = 2_500_000
"""Of all pictures: whoever clones the project takes them along."""


@pytest.mark.parametrize("name", PAGES)
def test_a_drawn_page_is_fresh(name: str) -> None:
    page = (ROOT / name).read_text()
    assert PAGES[name](page) == page, "run `make docs-tables`"


def test_each_table_has_one_line_among_the_keys_to_distribute_by() -> None:
    """A new table has to be thought of there as well."""
    page = (ROOT / "docs/scaling.md").read_text()
    _, _, section = page.partition("### Which keys to distribute by")
    lines = [line for line in section.splitlines() if line.startswith("| `")]
    named = [name for line in lines for name in re.findall(r"`(\w+)`", line.split("|")[1])]
    assert sorted(named) == sorted(db.metadata.tables)


def test_the_page_of_reliability_is_what_the_drills_found() -> None:
    fresh = reliability.render()
    assert reliability.FILE.read_text() == fresh, "run `python -m tests.drills.reliability`"
    assert {file.stem for file in record.FOLDER.iterdir()} <= reliability.DRILLS.keys()


def test_each_picture_is_shown_by_a_document_and_each_that_is_shown_is_there() -> None:
    shown = {
        (path.parent / target).resolve()
        for path in (*DOCUMENTS, ROOT / "integrations/README.md")
        for target in re.findall(r'src(?:set)?="(?!https?:)([^"]+)"', path.read_text())
    }
    assert set(IMAGES.iterdir()) == shown


def test_each_picture_is_one_that_the_tests_take_and_none_is_missing() -> None:
    assert {path.name for path in IMAGES.iterdir()} == list_pictures(), "run `make screenshots`"


def test_all_pictures_together_stay_light() -> None:
    assert sum(path.stat().st_size for path in IMAGES.iterdir()) < MOST_BYTES


@pytest.mark.parametrize(
    "target", re.findall(r"make [a-z-]+(?=`|\n```)", (ROOT / "README.md").read_text())
)
def test_a_make_target_that_the_readme_names_is_there(target: str) -> None:
    name = target.removeprefix("make ")
    assert re.search(rf"^{name}:", (ROOT / "Makefile").read_text(), re.MULTILINE), target


def test_how_long_a_back_fill_takes_is_reckoned_from_the_limit_as_delivered() -> None:
    page = " ".join((ROOT / "docs/batch.md").read_text().split())
    rate = int(next(each.default for each in SETTINGS if each.name == "FLOWPULSE_RATE_LIMIT"))
    told = re.search(
        r"As delivered \((\d+) a second, ([\d,]+) at once\) a key passes (\w+) batches of (\d+) at "
        r"once, and one in (\d+) s from then on: 1,000,000 events take ([\d.]+) hours.* "
        r"with (\d+) the same takes ([\d.]+) minutes",
        page,
    )
    assert told, "docs/batch.md does not say how long a back-fill takes"
    burst, raised = rate * BURST_FACTOR, int(told[7])
    assert told.groups() == (
        f"{rate}",
        f"{burst:,}",
        {2: "two"}[burst // MOST_EVENTS],
        f"{MOST_EVENTS}",
        f"{MOST_EVENTS // rate}",
        f"{(1_000_000 - burst) / rate / 3_600:.1f}",
        f"{raised}",
        f"{(1_000_000 - raised * BURST_FACTOR) / raised / 60:.1f}",
    )
    assert f"raised to {int(LIMITS_ON['FLOWPULSE_RATE_LIMIT']):,}" in page
