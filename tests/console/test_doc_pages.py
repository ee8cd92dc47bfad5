"""Integrations and guides as pages: each file once, with the reader's values in place."""

import re
from collections.abc import Callable

import pytest
from flask.testing import FlaskClient

from app.console.doc_pages import resolve
from app.console.guides import GUIDES
from app.console.integration_files import (
    ESCAPES,
    FOLDER,
    STAND_IN,
    fill,
    has_stand_ins,
    read_file,
)
from app.console.integrations import INTEGRATIONS, page_file, read_page
from app.console.prose import Document, ProseError, inline, read_document
from app.console.snippet_parts import Target
from app.console.snippets import TOOLS
from app.workspaces.api_keys import create_api_key
from app.workspaces.workflows import create_workflow
from tests.console.pages import open_page
from tests.factories import Team, make_team

PAGES = [*INTEGRATIONS, *GUIDES]
FILLED = [*INTEGRATIONS, "reliable-sending"]
"""Pages with the reader's values; some other guides have them too."""
once = pytest.mark.once


def document_of(name: str) -> Document:
    document = read_page(name)
    assert document
    return document


# --- The documents --------------------------------------------------------------------------------


@once
def test_each_folder_is_listed_and_each_tool_of_the_wizard_has_a_page() -> None:
    assert {path.name for path in FOLDER.iterdir() if path.is_dir()} == set(INTEGRATIONS)
    assert set(TOOLS) <= set(INTEGRATIONS)
    index = (FOLDER / "README.md").read_text()
    assert set(re.findall(r"\((?!\.\.)([\w-]+)/README\.md\)", index)) == set(INTEGRATIONS)


@once
@pytest.mark.parametrize("name", INTEGRATIONS)
def test_each_file_of_a_folder_is_shown_on_its_page(name: str) -> None:
    blocks = document_of(name).blocks
    shown = {block.text for block in blocks if block.kind == "file"}
    own = {path.name for path in (FOLDER / name).iterdir() if path.name != "README.md"}
    assert own == {each for each in shown if not each.startswith("../")}
    assert all((FOLDER / name / each).is_file() for each in shown)


@once
@pytest.mark.parametrize("name", PAGES)
def test_each_link_of_a_page_leads_somewhere(name: str) -> None:
    file = page_file(name)
    assert file
    for target in re.findall(r"\]\((?!https?:|#)([^)#\s]+)", file.read_text()):
        assert (file.parent / target).exists(), target


@once
def test_a_document_is_read_as_blocks() -> None:
    text = (
        "# A *title*\n\nLead\nin two lines.\n\n## Next\n\n- one\n  goes on\n- two\n\n1. first\n\n"
        "| A | B |\n|---|---|\n| `x` | y |\n\n```sh\nls /\n```\n\n"
        "[a.sh](a.sh)\n\n[b.py](../x/b.py)\n"
    )
    title, lead, blocks = read_document(text)
    assert (title, lead) == ("A *title*", "Lead in two lines.")
    kinds = ["heading", "bullets", "steps", "table", "code", "file", "file"]
    assert [block.kind for block in blocks] == kinds
    heading, bullets, steps, table, code, file, other = blocks
    assert (heading.level, heading.anchor) == (2, "next")
    assert (bullets.items, steps.items) == (("one goes on", "two"), ("first",))
    assert table.rows == (("A", "B"), ("`x`", "y"))
    assert (code.language, code.text) == ("sh", "ls /\n")
    assert (file.text, other.text, other.items) == ("a.sh", "../x/b.py", ("b.py",))


@once
def test_what_guides_use_beyond_that_is_read_too() -> None:
    text = (
        "# Title\n\n<picture>\n  <img src=x>\n</picture>\n\nLead\n\n"
        "    ls\n\n      -l\n\n2. second\n\n   ```sh\n   ls\n   ```\n\n   so.\n3. third\n\n"
        "| | B |\n|---|---|\n| `a\\|b` | |\n\n> a\n> b\n\n<!-- c -->\n\n"
        "## Only pictures\n\n<img>\n\n## Next\n\nText\n\n## Last\n\n<img>\n"
    )
    blocks = read_document(text).blocks
    kinds = ["code", "steps", "code", "text", "steps", "table", "quote", "heading", "text"]
    assert [block.kind for block in blocks] == kinds
    indented, steps, fenced, _, third, table, quote, heading, _ = blocks
    assert (indented.text, fenced.text, fenced.language) == ("ls\n\n  -l\n", "ls\n", "sh")
    assert (steps.level, steps.items, quote.text) == (2, ("second",), "a b")
    assert (third.level, third.items) == (3, ("third",))
    assert table.rows == (("", "B"), ("`a|b`", ""))
    assert heading.text == "Next"
    assert inline("*so* 2 * 3 * 4 `*`", lambda link: None) == "<em>so</em> 2 * 3 * 4 <code>*</code>"


@once
@pytest.mark.parametrize("name", GUIDES)
def test_a_link_of_a_guide_leads_to_a_place_that_is_there(client: FlaskClient, name: str) -> None:
    """To a place on a page, where it names one; what only the repository has is text."""
    page = open_page(client, f"/docs/{name}")
    places = {link for link in page.links if link.startswith("/docs/") and "#" in link}
    for path, _, place in (link.partition("#") for link in places):
        other = page_file(path.removeprefix("/docs/"))
        assert other and place in _anchors(other.read_text("utf-8")), f"{path}#{place}"


def _anchors(text: str) -> set[str]:
    return {block.anchor for block in read_document(text).blocks if block.kind == "heading"}


@once
@pytest.mark.parametrize("text", ["", "no title", "# Title only", "# T\n\nLead\n\n```sh\nls"])
def test_what_is_no_document_says_so(text: str) -> None:
    with pytest.raises(ProseError):
        read_document(text)


@once
def test_headings_of_the_same_words_have_places_of_their_own() -> None:
    text = "# Title\n\nLead\n\n## A\n\n### Fixed\n\nOne\n\n## B\n\n### Fixed\n\nTwo\n"
    blocks = read_document(text).blocks
    anchors = [each.anchor for each in blocks if each.kind == "heading"]
    assert anchors == ["a", "fixed", "b", "fixed-1"]


@once
def test_versions_of_the_changelog_stand_without_what_leads_to_them_in_the_repository() -> None:
    text = (
        "# Changelog\n\nIts form.\n\n## [Unreleased]\n\n"
        "## [1.0.0] - 2026-12-01\n\n- [A page](docs/a.md).\n\n"
        "[Unreleased]: ../../compare/v1.0.0...HEAD\n[1.0.0]: ../../releases/tag/v1.0.0\n"
    )
    blocks = read_document(text).blocks
    shown = [("1.0.0 - 2026-12-01", ()), ("", ("[A page](docs/a.md).",))]
    assert [(each.text, each.items) for each in blocks] == shown


@once
def test_text_is_escaped_and_unknown_links_are_text() -> None:
    drawn = inline("<b> `a<b` **so** [`code`](https://x.example) [gone](x.md)", lambda link: None)
    assert drawn == "&lt;b&gt; <code>a&lt;b</code> <strong>so</strong> <code>code</code> gone"
    linked = inline("[a](b)", lambda link: '"><script>')
    assert linked == '<a class="link" href="&#34;&gt;&lt;script&gt;">a</a>'


# --- Filling in -----------------------------------------------------------------------------------

HOSTILE = Target("http://x'$(touch pwned)`\"\\", "w" * 24, "lead", "k'\"\n\\")


@once
def test_all_stand_ins_are_filled_in_and_an_id_is_no_slug() -> None:
    target = Target("https://flow.example.org/at", "w" * 24, "lead", "fp_" + "k" * 36)
    for name in INTEGRATIONS:
        for path in (FOLDER / name).iterdir():
            text = read_file(f"{name}/{path.name}", target)
            for stand_in in (STAND_IN.base_url, STAND_IN.slug, STAND_IN.key):
                assert stand_in not in text, (path, stand_in)
    assert fill("your-workflow-id your-workflow", target) == f"{'w' * 24} lead"


@once
def test_a_hostile_value_stays_within_its_quotes_or_out() -> None:
    for name in INTEGRATIONS:
        for path in (FOLDER / name).iterdir():
            language = path.suffix.removeprefix(".")
            text = read_file(f"{name}/{path.name}", HOSTILE)
            if language not in ESCAPES:
                assert "pwned" not in text, path
            if language == "py":
                compile(text, path.name, "exec")


# --- The pages ------------------------------------------------------------------------------------


@once
@pytest.mark.parametrize("name", FILLED)
def test_signed_out_a_page_shows_the_stand_ins(client: FlaskClient, team: Team, name: str) -> None:
    text = open_page(client, f"/docs/{name}").text
    assert document_of(name).title in text
    assert "fp_your_key" in text
    assert team.slug not in text


@pytest.mark.parametrize("name", FILLED)
def test_a_reader_finds_address_slug_and_the_keys_name_and_never_its_secret(
    owner: FlaskClient, team: Team, name: str
) -> None:
    answer = owner.get(f"/docs/{name}")
    assert answer.status_code == 200
    assert "http://localhost" in answer.text and STAND_IN.base_url not in answer.text
    assert team.key not in answer.text
    assert "fp_your_key" in answer.text
    assert "Put the secret of" in answer.text


@once
@pytest.mark.parametrize("name", GUIDES)
def test_a_guide_is_shown_with_the_way_to_all_others(client: FlaskClient, name: str) -> None:
    page = open_page(client, f"/docs/{name}")
    assert document_of(name).title in page.text
    assert {f"/docs/{each}" for each in GUIDES} <= set(page.links)
    document = document_of(name)
    assert ("Sign in" in page.text and "yours are filled in" in page.text) == has_stand_ins(
        document
    )


def test_workflow_and_key_are_chosen(owner: FlaskClient, team: Team) -> None:
    other = create_workflow(team.workspace_id, "Invoice <sync>")
    key, secret = create_api_key(team.workspace_id, "for <cron>")
    page = owner.get(f"/docs/cron?workflow={team.slug}&key={key.public_id}").text
    assert f"/api/v1/ping/{team.slug}/" in page
    assert "“for &lt;cron&gt;”" in page and secret not in page
    newest = owner.get("/docs/cron").text
    assert f"/api/v1/ping/{other.slug}/" in newest


def test_nothing_of_another_workspace_is_shown(owner: FlaskClient, team: Team) -> None:
    other = make_team("Elsewhere", first=False)
    page = owner.get(f"/docs/cron?workflow={other.slug}").text
    assert other.slug not in page
    assert f"/api/v1/ping/{team.slug}/" in page


def test_a_viewer_sees_no_keys(colleague: Callable[[str], FlaskClient], team: Team) -> None:
    page = colleague("viewer").get("/docs/cron").text
    assert "Put an API key in place" in page
    assert "Key that you send with" not in page


def test_a_page_that_is_not_there(client: FlaskClient) -> None:
    for name in ("nothing", "..", "README"):
        assert client.get(f"/docs/{name}").status_code == 404


def test_all_pages_are_found_from_the_index_and_the_wizard_leads_there(
    owner: FlaskClient, team: Team
) -> None:
    index = open_page(owner, "/docs/integrations").links
    assert {f"/docs/{name}" for name in INTEGRATIONS} <= set(index)
    guides = open_page(owner, "/docs/guides").links
    assert {f"/docs/{name}" for name in GUIDES} <= set(guides)
    assert "/docs/guides" in index
    assert "/docs/integrations" in open_page(owner, "/docs").links
    assert "/docs/integrations" in open_page(owner, "/connect").links
    choice = f"/connect?tool=n8n&workflow={team.workflow_public_id}&key=own"
    links = open_page(owner, owner.get(choice).headers["Location"]).links
    assert f"/docs/n8n?workflow={team.slug}" in links


def test_links_lead_within_the_app_or_are_text(client: FlaskClient) -> None:
    with client.application.test_request_context():
        assert resolve("../shell/README.md") == "/docs/shell"
        assert resolve("../integrations/README.md") == "/docs/integrations"
        assert resolve("troubleshooting.md#missing") == "/troubleshooting#missing"
        assert resolve("SECURITY.md") == "/docs/security"
        assert resolve("../README.md#configure") is None
        assert resolve("../../docs/reliable-sending.md#the-clock") == (
            "/docs/reliable-sending#the-clock"
        )
        assert resolve("../../docs/performance.md") is None
        assert resolve("https://x.example") == "https://x.example"
