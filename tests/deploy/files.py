"""What the files for other places say: Dockerfile, .dockerignore."""

import json
import shlex
import shutil
from collections.abc import Iterator
from pathlib import Path

from tests.server import ROOT

NOT_COPIED = shutil.ignore_patterns("__pycache__")


def instructions() -> Iterator[tuple[str, str]]:
    """Of the Dockerfile, in order: word and arguments."""
    text = (ROOT / "Dockerfile").read_text().replace("\\\n", " ")
    for line in text.splitlines():
        if line and not line.startswith("#"):
            word, _, rest = line.partition(" ")
            yield word, rest.strip()


def last(word: str) -> str:
    return [rest for name, rest in instructions() if name == word][-1]


def command(word: str) -> list[str]:
    """The list that CMD or HEALTHCHECK gives."""
    text = last(word)
    return [str(part) for part in json.loads(text[text.index("[") :])]


def environment() -> dict[str, str]:
    return dict(pair.split("=", 1) for pair in shlex.split(last("ENV")))


def copies() -> list[tuple[list[str], str]]:
    """Sources and target of each COPY from this folder."""
    found = [shlex.split(rest) for word, rest in instructions() if word == "COPY"]
    return [(words[:-1], words[-1]) for words in found if not words[0].startswith("--from")]


def copy_tree(target: Path) -> None:
    """Put there what the image has in /app."""
    for sources, place in copies():
        if Path(place).is_absolute():
            continue
        for source in (each for name in sources for each in ROOT.glob(name)):
            to = target / place
            if source.is_dir():
                shutil.copytree(source, to, ignore=NOT_COPIED)
            else:
                to.mkdir(parents=True, exist_ok=True)
                shutil.copy(source, to)
