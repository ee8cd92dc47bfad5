"""A workflow's template for the address of its runs on the source platform."""

from urllib.parse import urlsplit

from app.extensions import writing
from app.models import URL_LENGTH, Workflow
from app.workspaces.people import RefusedError

PLACEHOLDER = "{execution_id}"
EXAMPLE = "https://n8n.example.com/workflow/12/executions/{execution_id}"


def change_run_url(workflow: Workflow, template: str) -> None:
    """Raises RefusedError for what is no such template; an empty one removes it."""
    checked = check_run_url(template)
    workflow_id = workflow.id
    with writing() as session:
        session.get_one(Workflow, workflow_id).run_url = checked


def check_run_url(template: str) -> str | None:
    text = template.strip()
    if not text:
        return None
    if len(text) > URL_LENGTH:
        raise _refused(f"Use at most {URL_LENGTH} characters; these are {len(text):,}.")
    try:
        parts = urlsplit(text)
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise _refused(f"This can't be read as an address. Write one such as {EXAMPLE}") from None
    if parts.scheme not in ("http", "https") or not host:
        raise _refused(f"Begin with https:// or http:// and a host, as in {EXAMPLE}")
    if "@" in parts.netloc or "{" in parts.netloc:
        raise _refused("The host must be written out, without a name, a password or a placeholder.")
    if any(sign.isspace() or not sign.isprintable() or sign in "\\<>\"'`" for sign in text):
        raise _refused("The address holds a space or another sign that an address can't have.")
    if text.replace(PLACEHOLDER, "", 1).count("{") or PLACEHOLDER not in text:
        raise _refused(f"Put {PLACEHOLDER} once where the execution's id belongs, as in {EXAMPLE}")
    return text


def _refused(message: str) -> RefusedError:
    return RefusedError("run_url", message)
