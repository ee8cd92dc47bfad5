"""The files in integrations/ and docs/, with the reader's values in place of their stand-ins."""

import json
import re
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

from app.console.prose import Block, Document
from app.console.snippet_parts import PLACEHOLDER, Target

ROOT = Path(__file__).parent.parent.parent
FOLDER = ROOT / "integrations"
STAND_IN_URL = "https://flowpulse.example.org"
STAND_IN_SLUG = "your-workflow"
STAND_IN_ID = "your-workflow-id"
STAND_IN = Target(STAND_IN_URL, STAND_IN_ID, STAND_IN_SLUG)
"""Where the files themselves send to."""

_STAND_INS = re.compile(
    "|".join(re.escape(each) for each in (STAND_IN_URL, STAND_IN_ID, STAND_IN_SLUG, PLACEHOLDER))
)
_PLAIN = re.compile(r"[A-Za-z0-9.:/_~\[\]-]+")


def _within_double_quotes(value: str) -> str:
    return json.dumps(value)[1:-1]


def _within_shell_quotes(value: str) -> str:
    return value.replace("'", "'\"'\"'")


def _within_php_quotes(value: str) -> str:
    return value.replace("\\", "\\\\").replace("'", "\\'")


ESCAPES: dict[str, Callable[[str], str]] = {
    "go": _within_double_quotes,
    "json": _within_double_quotes,
    "mjs": _within_double_quotes,
    "js": _within_double_quotes,
    "py": _within_double_quotes,
    "python": _within_double_quotes,
    "sh": _within_shell_quotes,
    "php": _within_php_quotes,
}
"""By a file's ending or a block's language: how a value is written where its stand-in stands,
within double quotes, or within single ones in shell and PHP."""


def read_file(path: str, target: Target = STAND_IN) -> str:
    """The file of integrations/, such as `n8n/error-workflow.json`, for this target."""
    return fill(_read(path), target, path.rpartition(".")[2])


def cells(block: Block) -> Iterator[str]:
    return (cell for row in block.rows for cell in row)


def has_stand_ins(document: Document) -> bool:
    """Whether it shows anything that would be the reader's own."""
    return any(
        block.kind == "file"
        or _STAND_INS.search("\n".join((block.text, *block.items, *cells(block))))
        for block in document.blocks
    )


def fill(text: str, target: Target, language: str = "") -> str:
    """Where the language has no rule, only values that need none are filled in."""
    values = {
        STAND_IN_URL: target.base_url,
        STAND_IN_ID: target.workflow_id,
        STAND_IN_SLUG: target.slug,
        PLACEHOLDER: target.key,
    }
    escape = ESCAPES.get(language)

    def replace(found: re.Match[str]) -> str:
        value = values[found[0]]
        if escape:
            return escape(value)
        return value if _PLAIN.fullmatch(value) else found[0]

    return _STAND_INS.sub(replace, text)


@cache
def _read(path: str) -> str:
    return (FOLDER / path).read_text(encoding="utf-8")
