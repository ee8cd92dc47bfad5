"""The documents' site: it names every document, leads nowhere that isn't there, and needs nothing
from elsewhere. `make docs` builds it, strictly."""

import re
from pathlib import Path

import pytest

from app.console.guides import GUIDES
from tests.documents.blocks import ROOT

CONFIG = (ROOT / "mkdocs.yml").read_text("utf-8")
NAMED = re.findall(r"^ +- [^:]+: (\S+\.md)$", CONFIG.partition("\nnav:\n")[2], re.MULTILINE)
PATTERNS = ("*.md", "docs/*.md", "integrations/*.md", "integrations/*/*.md", "clients/*/*.md")
PAGES = sorted(
    path.relative_to(ROOT).as_posix() for pattern in PATTERNS for path in ROOT.glob(pattern)
)
LINK = re.compile(r"\]\((?!https?:|mailto:)([^)\s]+)\)")
NOT_IN_AN_ANCHOR = re.compile(r"[^\w\- ]")
CODE = re.compile(r"`[^`]*`|```.*?```", re.DOTALL)


def anchors(path: Path) -> set[str]:
    """Of its headings, as GitHub and the site name them."""
    headings = re.findall(r"^#+ (.+)$", path.read_text("utf-8"), re.MULTILINE)
    return {NOT_IN_AN_ANCHOR.sub("", each.lower()).replace(" ", "-") for each in headings}


def test_the_site_names_every_document_once() -> None:
    assert sorted(NAMED) == PAGES


@pytest.mark.parametrize("name", PAGES)
def test_each_link_leads_to_a_file_and_to_a_place_in_it(name: str) -> None:
    page = ROOT / name
    for target in LINK.findall(CODE.sub("", page.read_text("utf-8"))):
        path, _, place = target.partition("#")
        file = (page.parent / path).resolve() if path else page
        assert file.exists(), target
        assert not place or file.suffix != ".md" or place in anchors(file), target


def test_guides_of_the_app_are_documents_of_the_site() -> None:
    files = {guide.file.relative_to(ROOT).as_posix() for guide in GUIDES.values()}
    assert files <= set(NAMED)


def test_it_asks_nobody_for_fonts_or_anything_else() -> None:
    assert re.search(r"^  font: false$", CONFIG, re.MULTILINE)
    assert not re.search(r"https?:", CONFIG)
    assert "- offline" not in CONFIG
    assert not re.search(r"https?:", (ROOT / "docs/site.css").read_text("utf-8"))


def test_letters_that_it_names_are_those_of_the_app() -> None:
    css = (ROOT / "docs/site.css").read_text("utf-8")
    for path in re.findall(r'url\("([^"]+)"\)', css):
        assert (ROOT / "docs" / path).exists(), path
