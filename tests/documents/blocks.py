"""The pieces of code in the documents, and which of them are commands for a shell."""

import re
import textwrap
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
DRAWN = {"docs/command-line.md", "docs/troubleshooting.md"}
"""Written by programs, from what has tests of its own."""
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
_FENCE = re.compile(r" *```(\w*)$")
_FIRST_WORD = re.compile(r"(?:[A-Z_]+=\S*\s+)*(\S+)")


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
        first = _FIRST_WORD.match(next(lines, ""))
        word = first[1] if first else ""
        is_named = any(word == each or word.startswith(f"{each}/") for each in PROGRAMS)
        return is_named or word.startswith((".venv/bin/", "out=$("))


def documents() -> list[Path]:
    patterns = ("*.md", "docs/*.md", "integrations/**/*.md", "clients/*/*.md")
    found = (path for pattern in patterns for path in ROOT.glob(pattern))
    return sorted(path for path in found if path.relative_to(ROOT).as_posix() not in DRAWN)


def read_code(path: Path) -> Iterator[Code]:
    """Fenced pieces, and those that are indented by four or more behind an empty line."""
    name, lines = path.relative_to(ROOT).as_posix(), path.read_text("utf-8").splitlines()
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


def list_commands() -> list[Code]:
    return [code for path in documents() for code in read_code(path) if code.is_command]
