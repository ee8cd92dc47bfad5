"""What language models and scripts read: llms.txt, and the documents as Markdown."""

from collections.abc import Iterator
from functools import cache
from pathlib import Path

from flask import Blueprint, Response, abort

from app.api.openapi import ABOUT, serves_others
from app.console.api_reference import (
    Endpoint,
    Field,
    curl_request,
    example_body,
    list_endpoints,
    list_tags,
)
from app.console.guards import protect_reading
from app.console.guides import GUIDES
from app.links import public_url
from app.problems import PROBLEMS

FOLDER = Path(__file__).parent.parent.parent / "docs"
FIRST = ("using-the-api", "reliable-sending", "pings", "batch", "clients", "troubleshooting")
"""What whoever writes a sender needs."""
OPTIONAL = (*(name for name in GUIDES if name not in FIRST), "command-line")
STAND_IN_SLUG = "your-workflow"
WHAT_IT_IS = (
    "FlowPulse watches automations: each n8n workflow, Make scenario, Zap, script or cron job "
    "reports with one HTTP request that a run succeeded or failed. FlowPulse makes run history, "
    "charts and alerts of it, and explains each request that it refuses."
)
_HOW = (
    "To report a run, POST JSON with `workflow_slug` and `ended_at` (ISO 8601) to the address for "
    "a success, and `error_message` besides to the one for a failure. The key goes into the header "
    "`X-API-Key`. 202 means that the report is on disk. Send an `Idempotency-Key` with each, so "
    "that it can be sent again after a time-out, 429, 500 or 503; heed `Retry-After`. After any "
    "other refusal do what its `detail` says."
)

blueprint = Blueprint("markdown", __name__)
protect_reading(blueprint)


@blueprint.get("/llms.txt")
def show_llms() -> Response:
    """As https://llmstxt.org has it: a title, a summary, sections of links."""
    return Response(write_llms(public_url()), content_type="text/plain; charset=utf-8")


@blueprint.get("/docs/api.md")
def show_reference() -> Response:
    return _markdown("\n".join(write_reference(public_url())))


@blueprint.get("/docs/<name>.md")
def show_document(name: str) -> Response:
    file = list_files().get(name)
    if file is None:
        abort(404, "There is no such document.")
    return _markdown(file.read_text("utf-8"))


def _markdown(text: str) -> Response:
    return Response(text, content_type="text/markdown; charset=utf-8")


@cache
def list_files() -> dict[str, Path]:
    """All documents, by name: those that are listed link to the others."""
    guides = {each.name: each.file for each in GUIDES.values()}
    return {each.stem: each for each in FOLDER.glob("*.md")} | guides


@cache
def list_titles() -> dict[str, str]:
    """The documents that are listed, by name, each with its first line."""
    files = list_files()
    return {
        name: files[name].read_text("utf-8").partition("\n")[0].removeprefix("# ")
        for name in (*FIRST, *OPTIONAL)
        if name in files
    }


def write_llms(base_url: str) -> str:
    curl = _example(base_url, next(each for each in list_endpoints() if each.id == "run_success"))
    parts = ["# FlowPulse", f"> {WHAT_IT_IS}", _HOW, curl, "## API", *_list_api(base_url)]
    for title, names in (("## Documents", FIRST), ("## Optional", OPTIONAL)):
        parts.append(title)
        parts.append("\n".join(_link_documents(base_url, names)))
    return "\n\n".join(parts) + "\n"


def _list_api(base_url: str) -> Iterator[str]:
    lines = [
        f"- [API reference]({base_url}/docs/api.md): each endpoint with its fields and refusals",
        f"- [OpenAPI 3.1]({base_url}/api/v1/openapi.json): the same for programs",
    ]
    lines += [
        f"- [{each.summary}]({base_url}/docs/api.md#{each.id}): `{each.method} {each.path}`"
        for each in _list_served()
        if each.method == "POST" or each.tag == "Reading"
    ]
    yield "\n".join(lines)


def _list_served() -> tuple[Endpoint, ...]:
    return list_endpoints(has_others=serves_others())


def _link_documents(base_url: str, names: tuple[str, ...]) -> Iterator[str]:
    titles = list_titles()
    for name in names:
        if name in titles:
            yield f"- [{titles[name]}]({base_url}/docs/{name}.md)"


def write_reference(base_url: str) -> Iterator[str]:
    """The API reference, from what the page of it is drawn from."""
    yield from ("# API reference", "", ABOUT, "")
    about = list_tags(has_others=serves_others())
    yield from (f"- {tag}: {text}" for tag, text in about.items())
    yield ""
    for endpoint in _list_served():
        yield from _write_endpoint(base_url, endpoint)
    yield from ("## Refusals", "")
    codes = {row.code: None for each in list_endpoints() for row in each.refusals}
    for row in (PROBLEMS[code] for code in codes):
        yield f"- {row.status} `{row.code}`: {row.title}. {row.fix}"
    yield ""


def _write_endpoint(base_url: str, endpoint: Endpoint) -> Iterator[str]:
    yield f'<a id="{endpoint.id}"></a>'
    yield from (f"## {endpoint.method} {endpoint.path}", "", f"{endpoint.summary}.", "")
    if endpoint.description:
        yield from (endpoint.description, "")
    asked = endpoint.path_parameters + endpoint.query_parameters + endpoint.headers
    for title, fields in (("Body", endpoint.body), ("Parameters", asked)):
        yield from _write_fields(f"{title}:", fields)
    yield from (_example(base_url, endpoint), "")
    page = ", a page of these in `data`" if endpoint.is_list else ""
    yield from _write_fields(f"Answer {endpoint.status}{page}:", endpoint.answer)
    if endpoint.refusals:
        yield from ("Refusals: " + ", ".join(f"`{row.code}`" for row in endpoint.refusals), "")


def _write_fields(title: str, fields: tuple[Field, ...]) -> Iterator[str]:
    if not fields:
        return
    yield from (title, "")
    for field in fields:
        need = {"yes": ", required", "no": ""}.get(field.need, f", {field.need}")
        rules = f" ({field.rules})" if field.rules else ""
        yield f"- `{field.name}` ({field.type}{need}): {field.description}{rules}".rstrip(": ")
    yield ""


def _example(base_url: str, endpoint: Endpoint) -> str:
    command = curl_request(endpoint, base_url, example_body(endpoint, STAND_IN_SLUG))
    return f"```sh\n{command}\n```"
