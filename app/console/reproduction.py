"""A stored request as code that sends it again: pasted with a real key, it reproduces the row."""

import base64
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from html import escape
from typing import NamedTuple

from app.console.fixes import read_body
from app.console.hidden import cover_bytes, without_url_secrets
from app.identifiers import new_id
from app.ingest.batch_places import find_place, sent_alone
from app.links import public_url
from app.models import Event
from app.secret_texts import MASK

KEY = "fp_your_key"
MOST_SHOWN = 4_000
"""Bytes of the HTML that shows one: a page has four."""
FILE_NAMES = {
    "curl": "send.sh",
    "javascript": "send.mjs",
    "n8n": "n8n-node.json",
    "python": "send.py",
}
_SENT_AGAIN = ("Content-Type", "Content-Encoding", "Idempotency-Key")
_KEY_HEADERS = {
    "X-Api-Key": ("X-API-Key", KEY),
    "Authorization": ("Authorization", f"Bearer {KEY}"),
}
_BODYLESS = frozenset({"GET", "HEAD"})
_DANGEROUS = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]"
)
"""What a terminal would take for a command or hide: such a body is sent as base64."""


@dataclass(frozen=True, slots=True)
class StoredRequest:
    """What is sent again; `headers` are names and values, the key's with a stand-in."""

    method: str
    url: str
    headers: dict[str, str]
    body: bytes

    @property
    def text(self) -> str | None:
        """The body, if it is text that can be seen and pasted."""
        try:
            text = self.body.decode()
        except UnicodeDecodeError:
            return None
        return None if _DANGEROUS.search(text) else text

    @property
    def has_body(self) -> bool:
        return bool(self.body) and self.method not in _BODYLESS


class Reproduction(NamedTuple):
    """One way to send the request again."""

    name: str
    label: str
    hint: str
    code: str

    @property
    def is_long(self) -> bool:
        """Whether it is too long for a page, and only to be downloaded."""
        return len(escape(self.code).encode()) > MOST_SHOWN


def reproduce(event: Event) -> list[Reproduction]:
    """The request in each of the languages. Needs headers and body."""
    request = as_request(event)
    return [
        Reproduction(name, label, hint, code)
        for name, (label, hint, write) in LANGUAGES.items()
        if (code := write(request))
    ]


def as_request(event: Event) -> StoredRequest:
    """The headers that decide what becomes of it, and a stand-in where a key was sent, or another
    secret in an address. What came in a batch is sent alone."""
    given = {pair[0]: without_url_secrets(pair[1]) for pair in event.headers}
    keys = [pair for name, pair in _KEY_HEADERS.items() if given.get(name) == MASK]
    headers = dict(keys[:1]) | {name: given[name] for name in _SENT_AGAIN if name in given}
    path, body = event.path, cover_bytes(read_body(event))
    if find_place(event.kind, path) is not None:
        path, body = sent_alone(event.kind, body)
    return StoredRequest(event.method, public_url(without_url_secrets(path)), headers, body)


def _quote(text: str) -> str:
    """For a POSIX shell: nothing within single quotes means anything but a single quote."""
    return "'" + text.replace("'", "'\\''") + "'"


def _curl(request: StoredRequest) -> str:
    # Told to send HEAD with -X, curl waits for the body.
    method = "--head" if request.method == "HEAD" else f"-X {_quote(request.method)}"
    lines = [f"curl {method} {_quote(request.url)}"]
    lines += [f"-H {_quote(f'{name}: {value}')}" for name, value in request.headers.items()]
    if not request.has_body:
        return " \\\n  ".join(lines)
    if "Content-Type" not in request.headers:
        lines.append("-H 'Content-Type:'")  # Else curl says that it is a form.
    if request.text is not None:
        return " \\\n  ".join([*lines, f"--data-raw {_quote(request.text)}"])
    encoded = base64.b64encode(request.body).decode()
    return f"printf %s {encoded} | base64 -d | " + " \\\n  ".join([*lines, "--data-binary @-"])


def _python(request: StoredRequest) -> str:
    body = repr(request.body)
    if request.text is not None:
        body = f"{request.text!r}.encode()"
    headers = dict(request.headers)
    if request.has_body:
        headers.setdefault("Content-Type", "")  # Else urllib says that it is a form.
    return "\n".join(
        (
            "import urllib.error",
            "import urllib.request",
            "",
            "request = urllib.request.Request(",
            f"    {request.url!r},",
            f"    data={body if request.has_body else None},",
            f"    headers={headers!r},",
            f"    method={request.method!r},",
            ")",
            "try:",
            "    answer = urllib.request.urlopen(request, timeout=10)",
            "except urllib.error.HTTPError as error:",
            "    answer = error",
            "print(answer.status, answer.read().decode())",
        )
    )


def _javascript(request: StoredRequest) -> str:
    lines = [f"  method: {json.dumps(request.method)},"]
    lines.append(f"  headers: {json.dumps(request.headers)},")
    if request.has_body:
        lines.append(f"  body: {_javascript_body(request)},")
    return "\n".join(
        (
            f"const answer = await fetch({json.dumps(request.url)}, {{",
            *lines,
            "});",
            "console.log(answer.status, await answer.text());",
        )
    )


def _javascript_body(request: StoredRequest) -> str:
    if request.text is not None and "Content-Type" in request.headers:
        return json.dumps(request.text, ensure_ascii=False)
    if request.text is not None:  # A text would say of itself that it is text/plain.
        return f"new TextEncoder().encode({json.dumps(request.text, ensure_ascii=False)})"
    encoded = base64.b64encode(request.body).decode()
    return f'Uint8Array.from(atob("{encoded}"), (sign) => sign.charCodeAt(0))'


def _n8n(request: StoredRequest) -> str:
    """A node to paste into the canvas; nothing for a body that is no text."""
    text = request.body.decode("utf-8", "replace")
    if text.encode() != request.body:
        return ""
    headers = {name: value for name, value in request.headers.items() if name != "Content-Type"}
    parameters: dict[str, object] = {
        "method": request.method,
        "url": _literal(request.url),
        "sendHeaders": True,
        "headerParameters": {
            "parameters": [
                {"name": name, "value": _literal(value)} for name, value in headers.items()
            ]
        },
        "options": {"response": {"response": {"neverError": True}}},
    }
    if request.has_body:
        parameters |= {
            "sendBody": True,
            "contentType": "raw",
            "rawContentType": _raw(request.headers.get("Content-Type", "application/json")),
            "body": _literal(text),
        }
    node = {
        "parameters": parameters,
        "id": new_id(),
        "name": "Send to FlowPulse again",
        "type": "n8n-nodes-base.httpRequest",
        "typeVersion": 4.2,
        "position": [0, 0],
    }
    return json.dumps({"nodes": [node], "connections": {}}, indent=2, ensure_ascii=False)


def _raw(media_type: str) -> str:
    """The same in other letters: what is not JSON, n8n's HTTP library sends as a JSON string where
    it finds `application/json`, and white space around JSON it leaves out."""
    return media_type.replace("application/json", "Application/JSON")


def _literal(text: str) -> str:
    """n8n takes a value that begins with = for an expression: then it is made to be one. n8n ends
    it at the first }}, also within a text: there, braces are escaped."""
    if not text.startswith("="):
        return text
    quoted = json.dumps(text).replace("{", "\\u007b").replace("}", "\\u007d")
    return f"={{{{ {quoted} }}}}"


LANGUAGES: dict[str, tuple[str, str, Callable[[StoredRequest], str]]] = {
    "curl": ("curl", "For a shell such as bash or zsh.", _curl),
    "n8n": ("n8n", "Copy it, click into the canvas of a workflow and paste.", _n8n),
    "python": ("Python", "Needs nothing but Python 3.", _python),
    "javascript": ("JavaScript", "For Node 18 and later: save it as send.mjs.", _javascript),
}
"""What the event page offers, in its order: name, hint, and what writes it."""
