"""llms.txt and the documents as Markdown: drawn from what the pages are drawn from."""

import re
from collections.abc import Callable

import pytest
from flask import Flask
from flask.testing import FlaskClient

from app.console.api_reference import list_endpoints
from app.console.markdown import FIRST, OPTIONAL, list_files
from app.problems import PROBLEMS
from tests.factories import Team

LINK = re.compile(r"- \[[^\]]+\]\((http://localhost)?([^)#]+)(#[^)]+)?\)(: .+)?")


def test_llms_txt_has_the_form_that_language_models_look_for(client: FlaskClient) -> None:
    answer = client.get("/llms.txt")
    assert answer.content_type == "text/plain; charset=utf-8"
    head, *sections = re.split(r"^## ", answer.text, flags=re.MULTILINE)
    title, summary, *rest = head.strip().split("\n\n")
    assert title == "# FlowPulse"
    assert summary.startswith("> ") and "\n" not in summary
    assert not any(part.startswith("#") for part in rest)
    assert [section.partition("\n")[0] for section in sections] == ["API", "Documents", "Optional"]
    for section in sections:
        lines = section.strip().splitlines()[1:]
        assert all(LINK.fullmatch(line) for line in lines if line), section


def test_each_of_its_links_leads_to_text(client: FlaskClient) -> None:
    text = client.get("/llms.txt").text
    targets = {found[2] for found in map(LINK.fullmatch, text.splitlines()) if found}
    assert len(targets) == 2 + len(FIRST) + len(OPTIONAL)
    for target in targets:
        answer = client.get(target)
        assert answer.status_code == 200, target
        assert answer.mimetype in ("text/markdown", "application/json"), target


def test_it_tells_how_to_report_and_names_each_endpoint(client: FlaskClient) -> None:
    text = client.get("/llms.txt").text
    for words in ("X-API-Key", "Idempotency-Key", "Retry-After", "workflow_slug", "ended_at"):
        assert words in text
    for endpoint in list_endpoints():
        if endpoint.needs_key and not endpoint.id.endswith("_get"):
            assert f"`{endpoint.method} {endpoint.path}`" in text
    assert len(text) < 6_000, "it is to fit beside a question"


def test_the_reference_in_markdown_says_what_the_page_says(client: FlaskClient) -> None:
    text, page = client.get("/docs/api.md").text, client.get("/docs").text
    for endpoint in list_endpoints():
        assert f"## {endpoint.method} {endpoint.path}" in text
        assert f'id="{endpoint.id}"' in text and f'id="{endpoint.id}"' in page
        asked = (*endpoint.body, *endpoint.query_parameters, *endpoint.path_parameters)
        for field in (*asked, *endpoint.headers):
            assert f"- `{field.name}` ({field.type}" in text, field
        for row in endpoint.refusals:
            assert f"{row.status} `{row.code}`: {row.title}. {PROBLEMS[row.code].fix}" in text


def test_its_example_is_taken_as_it_is(client: FlaskClient, team: Team) -> None:
    text = client.get("/llms.txt").text
    (body,) = re.findall(r"-d '(.+?)'", text, re.DOTALL)
    (path,) = re.findall(r"'http://localhost(/api[^']+)'", text)
    headers = {**team.headers, "Content-Type": "application/json"}
    sent = client.post(path, data=body.replace("your-workflow", team.slug), headers=headers)
    assert (sent.status_code, "warnings" in sent.json) == (202, False)


@pytest.mark.parametrize("name", ["nothing", "..%2Frequirements", "index", "api%00", "__init__"])
def test_no_other_file_is_shown(client: FlaskClient, name: str) -> None:
    assert client.get(f"/docs/{name}.md").status_code == 404


def test_each_document_that_is_listed_is_there_and_those_that_it_leads_to() -> None:
    files = list_files()
    assert {*FIRST, *OPTIONAL} <= files.keys()
    for name in (*FIRST, *OPTIONAL):
        led_to = set(re.findall(r"\]\(([a-z-]+)\.md[)#]", files[name].read_text("utf-8")))
        assert led_to <= files.keys() | {"api"}, name


def test_private_documents_are_private_here_too(make_app: Callable[..., Flask]) -> None:
    client = make_app(FLOWPULSE_PUBLIC_DOCS=False).test_client()
    for path in ("/llms.txt", "/docs/api.md", "/docs/batch.md"):
        assert client.get(path).status_code == 302


def test_its_addresses_are_the_public_ones(make_app: Callable[..., Flask]) -> None:
    client = make_app(FLOWPULSE_PUBLIC_URL="https://fp.example.org/under").test_client()
    text = client.get("/llms.txt", base_url="https://fp.example.org").text
    assert "(https://fp.example.org/under/docs/api.md)" in text
