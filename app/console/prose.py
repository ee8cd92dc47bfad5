"""Documents as pages: the part of Markdown that docs/ and integrations/ use, as blocks to draw."""

import re
import textwrap
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from markupsafe import Markup, escape

_FENCE = re.compile(r" *```(\w*)$")
_HEADING = re.compile(r"(#{1,3}) (.+)")
_ITEM = re.compile(r"(- |\d+\. )(.+)")
_INDENTED = " " * 4
_CELL_END = re.compile(r"(?<!\\)\|")
_FILE = re.compile(r"\[([\w.@-]+)\]\(((?:\.\./[\w-]+/)?\1)\)")
_INLINE = re.compile(
    r"`([^`]+)`|\*\*([^*]+)\*\*|\[([^\]]+)\]\(([^)]+)\)|(?<![\w*])\*([^*\s][^*]*)\*(?![\w*])"
)
_REFERENCE = re.compile(r"\[[^\]]+\]: \S+$")
"""Where a name in brackets leads in the repository, told on a line of its own."""
_REFERRED = re.compile(r"\[([^\]]+)\](?!\()")
_NOT_AN_ID = re.compile(r"[^a-z0-9]+")
Resolve = Callable[[str], str | None]


class ProseError(ValueError):
    """A document uses what is not read here."""


@dataclass(frozen=True, slots=True)
class Block:
    """`kind` is the macro that draws it: heading, text, quote, bullets, steps, table, code or file.

    `level` is a heading's, or the number that the first of the steps has.
    """

    kind: str
    text: str = ""
    level: int = 0
    language: str = ""
    items: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()
    number: int = 0
    """How many headings with the same words there are before it."""

    @property
    def anchor(self) -> str:
        name = _NOT_AN_ID.sub("-", self.text.lower()).strip("-")
        return f"{name}-{self.number}" if self.number else name


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
    return Document(title.text, lead.text, tuple(_tell_apart(_without_empty(blocks[:-2]))))


def _tell_apart(blocks: Iterable[Block]) -> Iterator[Block]:
    """Each heading has an anchor of its own."""
    seen: Counter[str] = Counter()
    for block in blocks:
        if block.kind == "heading":
            yield replace(block, number=seen[block.anchor])
            seen[block.anchor] += 1
        else:
            yield block


def _without_empty(blocks: Sequence[Block]) -> Iterator[Block]:
    """Without headings under which there were only pictures."""
    for block, following in zip(blocks, (*blocks[1:], Block("heading")), strict=True):
        if (block.kind, following.kind) != ("heading", "heading") or following.level > block.level:
            yield block


def inline(text: str, resolve: Resolve) -> Markup:
    """Code, bold, stress and links as HTML, all else escaped; a link that leads nowhere is its
    text."""
    return Markup("").join(_draw_pieces(text, resolve))


def _draw_pieces(text: str, resolve: Resolve) -> Iterator[Markup]:
    end = 0
    for found in _INLINE.finditer(text):
        yield escape(text[end : found.start()])
        yield _draw_piece(found, resolve)
        end = found.end()
    yield escape(text[end:])


def _draw_piece(found: re.Match[str], resolve: Resolve) -> Markup:
    code, bold, label, target, stressed = found.groups()
    if code:
        return Markup("<code>{}</code>").format(code)
    if bold:
        return Markup("<strong>{}</strong>").format(bold)
    if stressed:
        return Markup("<em>{}</em>").format(stressed)
    address, drawn = resolve(target), inline(label, resolve)
    if address is None:
        return drawn
    return Markup('<a class="link" href="{}">{}</a>').format(address, drawn)


def _read_blocks(lines: Sequence[str]) -> list[Block]:
    """What is HTML, pictures and comments, is left out; so are references."""
    blocks: list[Block] = []
    place = 0
    while place < len(lines):
        fence = _FENCE.match(lines[place])
        if fence:
            end = _find_end(lines, place)
            code = textwrap.dedent("\n".join(lines[place + 1 : end]) + "\n")
            blocks.append(Block("code", code, language=fence[1]))
            place = end + 1
        elif lines[place].startswith(_INDENTED):
            end = _find_dedent(lines, place)
            blocks.append(
                Block("code", textwrap.dedent("\n".join(lines[place:end])).strip() + "\n")
            )
            place = end
        elif lines[place].strip():
            end = _find_next(lines, place)
            if not (lines[place].startswith("<") or _REFERENCE.match(lines[place])):
                blocks.append(_read_block(lines[place:end]))
            place = end
        else:
            place += 1
    return blocks


def _find_next(lines: Sequence[str], start: int) -> int:
    """Where the text ends: before an empty line, a fence, or, if it goes on with an item, the next
    item."""
    goes_on = lines[start].startswith(" ")
    for place in range(start, len(lines)):
        line = lines[place]
        if not line.strip() or _FENCE.match(line) or (goes_on and _ITEM.match(line)):
            return place
    return len(lines)


def _find_dedent(lines: Sequence[str], start: int) -> int:
    """Where the indented block ends; empty lines within it belong to it."""
    place = start
    while place < len(lines) and (not lines[place].strip() or lines[place].startswith(_INDENTED)):
        place += 1
    return place


def _find_end(lines: Sequence[str], start: int) -> int:
    for place in range(start + 1, len(lines)):
        if lines[place].strip() == "```":
            return place
    raise ProseError(f"The block of line {start + 1} does not end.")


def _read_block(lines: Sequence[str]) -> Block:
    joined = " ".join(line.strip() for line in lines)
    if heading := _HEADING.fullmatch(joined):
        return Block("heading", _REFERRED.sub(r"\1", heading[2]), level=len(heading[1]))
    if item := _ITEM.match(lines[0]):
        items = tuple(_read_items(lines))
        if item[1] == "- ":
            return Block("bullets", items=items)
        return Block("steps", items=items, level=int(item[1].rstrip(". ")))
    if lines[0].startswith("|"):
        rows = [_read_row(line) for line in lines]
        return Block("table", rows=(rows[0], *rows[2:]))
    if lines[0].startswith("> "):
        return Block("quote", " ".join(line.removeprefix("> ") for line in lines))
    if named := _FILE.fullmatch(joined):
        return Block("file", named[2], items=(named[1],))
    return Block("text", joined)


def _read_row(line: str) -> tuple[str, ...]:
    cells = _CELL_END.split(line.strip().removeprefix("|").removesuffix("|"))
    return tuple(cell.strip().replace("\\|", "|") for cell in cells)


def _read_items(lines: Sequence[str]) -> Iterator[str]:
    """A line that begins no item goes on with the one before it."""
    item = ""
    for line in lines:
        begun = _ITEM.match(line)
        if begun and item:
            yield item
        item = begun[2] if begun else f"{item} {line.strip()}"
    yield item
