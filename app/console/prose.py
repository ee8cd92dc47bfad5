"""Documents as pages: the part of Markdown that docs/ and integrations/ use, as blocks to draw."""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from markupsafe import Markup, escape

_FENCE = re.compile(r"```(\w*)$")
_HEADING = re.compile(r"(#{1,3}) (.+)")
_ITEM = re.compile(r"(- |\d+\. )(.+)")
_FILE = re.compile(r"\[([\w.@-]+)\]\(((?:\.\./[\w-]+/)?\1)\)")
_INLINE = re.compile(r"`([^`]+)`|\*\*([^*]+)\*\*|\[([^\]]+)\]\(([^)]+)\)")
_NOT_AN_ID = re.compile(r"[^a-z0-9]+")
Resolve = Callable[[str], str | None]


class ProseError(ValueError):
    """A document uses what is not read here."""


@dataclass(frozen=True, slots=True)
class Block:
    """`kind` is the macro that draws it: heading, text, bullets, steps, table, code or file."""

    kind: str
    text: str = ""
    level: int = 0
    language: str = ""
    items: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()

    @property
    def anchor(self) -> str:
        return _NOT_AN_ID.sub("-", self.text.lower()).strip("-")


class Document(NamedTuple):
    """Its title, its first paragraph, and what follows."""

    title: str
    lead: str
    blocks: tuple[Block, ...]


def read_document(text: str) -> Document:
    """Raises ProseError where title or first paragraph are missing, or a block does not end."""
    title, lead, *blocks = [*_read_blocks(text.splitlines()), Block(""), Block("")]
    if (title.kind, title.level, lead.kind) != ("heading", 1, "text"):
        raise ProseError("A document begins with a title and a paragraph.")
    return Document(title.text, lead.text, tuple(blocks[:-2]))


def inline(text: str, resolve: Resolve) -> Markup:
    """Code, bold and links as HTML, all else escaped; a link that leads nowhere is its text."""
    return Markup("").join(_draw_pieces(text, resolve))


def _draw_pieces(text: str, resolve: Resolve) -> Iterator[Markup]:
    end = 0
    for found in _INLINE.finditer(text):
        yield escape(text[end : found.start()])
        yield _draw_piece(found, resolve)
        end = found.end()
    yield escape(text[end:])


def _draw_piece(found: re.Match[str], resolve: Resolve) -> Markup:
    code, bold, label, target = found.groups()
    if code:
        return Markup("<code>{}</code>").format(code)
    if bold:
        return Markup("<strong>{}</strong>").format(bold)
    address, drawn = resolve(target), inline(label, resolve)
    if address is None:
        return drawn
    return Markup('<a class="link" href="{}">{}</a>').format(address, drawn)


def _read_blocks(lines: Sequence[str]) -> list[Block]:
    blocks: list[Block] = []
    place = 0
    while place < len(lines):
        fence = _FENCE.match(lines[place])
        if fence:
            end = _find_end(lines, place)
            code = "\n".join(lines[place + 1 : end]) + "\n"
            blocks.append(Block("code", code, language=fence[1]))
            place = end + 1
        elif lines[place].strip():
            end = place
            while end < len(lines) and lines[end].strip() and not _FENCE.match(lines[end]):
                end += 1
            blocks.append(_read_block(lines[place:end]))
            place = end
        else:
            place += 1
    return blocks


def _find_end(lines: Sequence[str], start: int) -> int:
    for place in range(start + 1, len(lines)):
        if lines[place] == "```":
            return place
    raise ProseError(f"The block of line {start + 1} does not end.")


def _read_block(lines: Sequence[str]) -> Block:
    joined = " ".join(line.strip() for line in lines)
    if heading := _HEADING.fullmatch(joined):
        return Block("heading", heading[2], level=len(heading[1]))
    if item := _ITEM.match(lines[0]):
        return Block("bullets" if item[1] == "- " else "steps", items=tuple(_read_items(lines)))
    if lines[0].startswith("|"):
        rows = [tuple(cell.strip() for cell in line.strip("| ").split("|")) for line in lines]
        return Block("table", rows=(rows[0], *rows[2:]))
    if named := _FILE.fullmatch(joined):
        return Block("file", named[2], items=(named[1],))
    return Block("text", joined)


def _read_items(lines: Sequence[str]) -> Iterator[str]:
    """A line that begins no item goes on with the one before it."""
    item = ""
    for line in lines:
        begun = _ITEM.match(line)
        if begun and item:
            yield item
        item = begun[2] if begun else f"{item} {line.strip()}"
    yield item
