"""The pieces of code in the documents, and which of them are commands for a shell."""

import re
import textwrap
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
COMMAND_LINE = "docs/command-line.md"
DRAWN = {COMMAND_LINE, "docs/troubleshooting.md"}
"""Written by programs: their pieces are no shell, but for the examples in commands' help."""
HISTORY = "CHANGELOG.md"
"""Its text names what once was."""
PROGRAMS = (
    *(".venv/bin/", "apt", "cat", "chmod", "cp", "curl", "docker", "echo", "export", "git", "make"),
    *(
        "mkdir",
        "n8n",
        "npm",
        "openssl",
        "pip",
        "pkill",
        "printf",
        "psql",
        "python",
        "python3",
        "rm",
    ),
    *("sh", "sqlite3", "sudo", "systemctl", "tar", "useradd", "zcat"),
)
CALL = ".venv/bin/flask --app wsgi"
_FENCE = re.compile(r" *```(\w*)$")
_FIRST_WORD = re.compile(r"(?:[A-Z_]+=\S*\s+)*(\S+)")
_SPAN = re.compile(r"(?<!`)`([^`]+)`(?!`)")
_ONLY_NAMES = re.compile(rf"(?:{re.escape(CALL)}|\S+)( [a-z][a-z0-9:-]*)*")
_MODULE = re.compile(r"(?:\.venv/bin/)?python -m [\w.]+")
_STANDS_FOR_ANOTHER = re.compile(r"…|(?<![\w'\"])[A-Z]{2,}(?![\w=_'\"])")


class Code(NamedTuple):
    """`file` is its document's path in the repository, `line` where it begins, from 1."""

    file: str
    line: int
    language: str
    text: str

    @property
    def is_command(self) -> bool:
        """By its language, or by its first word where it has none."""
        if self.language:
            return self.language == "sh"
        lines = (line for line in self.text.splitlines() if not line.startswith("#"))
        return begins_with_program(next(lines, ""))


def begins_with_program(line: str) -> bool:
    first = _FIRST_WORD.match(line)
    word = first[1] if first else ""
    is_named = any(word == each or word.startswith(f"{each}/") for each in PROGRAMS)
    return is_named or word.startswith((".venv/bin/", "out=$("))


def documents() -> list[Path]:
    """All of them, also those that programs write."""
    patterns = ("*.md", "docs/*.md", "integrations/**/*.md", "clients/*/*.md")
    return sorted(path for pattern in patterns for path in ROOT.glob(pattern))


def name_in_project(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def read_code(path: Path) -> Iterator[Code]:
    """Fenced pieces, and those that are indented by four or more behind an empty line."""
    name, lines = name_in_project(path), path.read_text("utf-8").splitlines()
    place = 0
    while place < len(lines):
        fence = _FENCE.match(lines[place])
        if fence:
            end = next(i for i in range(place + 1, len(lines)) if lines[i].strip() == "```")
            yield Code(name, place + 2, fence[1], _dedent(lines[place + 1 : end]))
            place = end
        elif lines[place].startswith("    ") and not lines[place - 1].strip():
            end = place
            while end < len(lines) and (not lines[end].strip() or lines[end].startswith("    ")):
                end += 1
            yield Code(name, place + 1, "", _dedent(lines[place:end]))
            place = end
        place += 1


def _dedent(lines: Sequence[str]) -> str:
    return textwrap.dedent("\n".join(lines)).strip() + "\n"


def read_spans(path: Path) -> Iterator[Code]:
    """Whole commands within its sentences: programs with what they are given. Each once."""
    name, lines = name_in_project(path), path.read_text("utf-8").splitlines()
    for code in read_code(path):
        for place in range(code.line - 1, code.line - 1 + code.text.count("\n")):
            lines[place] = ""
    text, seen = "\n".join(lines), set()
    for span in _SPAN.finditer(text):
        words = " ".join(span[1].split())
        if is_whole(words) and words not in seen:
            seen.add(words)
            yield Code(name, text.count("\n", 0, span.start()) + 1, "sh", f"{words}\n")


def is_whole(words: str) -> bool:
    """Whether a text is a command that could be typed as it stands, and more than a name.

    The names of make's targets and of modules are looked at by tests of their own.
    """
    if not begins_with_program(words) or re.match(r"(\S+=\S* )*make ", words):
        return False
    is_name = _ONLY_NAMES.fullmatch(words) or _MODULE.fullmatch(words)
    return not is_name and not _STANDS_FOR_ANOTHER.search(words)


def read_examples() -> Iterator[Code]:
    """What the commands' help shows, as the page has it: indented further than its sentences."""
    lines = (ROOT / COMMAND_LINE).read_text("utf-8").splitlines()
    place, is_help = 0, False
    while place < len(lines):
        if lines[place].startswith(("Usage: ", "Options:")):
            is_help = lines[place].startswith("Usage: ")
        end = place
        while is_help and lines[end].startswith("    "):
            end += 1
        if end > place and not lines[place - 1].strip():
            yield Code(COMMAND_LINE, place + 1, "sh", _dedent(lines[place:end]))
        place = max(end, place + 1)


def list_commands() -> list[Code]:
    paths = [(path, name_in_project(path)) for path in documents()]
    pieces = [code for path, name in paths if name not in DRAWN for code in read_code(path)]
    spans = [code for path, name in paths if name != HISTORY for code in read_spans(path)]
    return [code for code in pieces if code.is_command] + spans + list(read_examples())
