"""Where the version stands in the repository: all places are set together, and none is forgotten.

A test holds that each of them says what `app.__version__` does.
"""

import re
from pathlib import Path

ROOT = Path(__file__).parent.parent
SEMANTIC = re.compile(r"(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)", re.ASCII)
"""Of Semantic Versioning 2.0.0, without what goes before a release: none is made of that."""
PLACES = {
    "app/__init__.py": '__version__ = "{}"\n',
    "pyproject.toml": '\nversion = "{}"\n',
    "Dockerfile": 'LABEL org.opencontainers.image.version="{}"\n',
    "clients/python/flowpulse/__init__.py": '__version__ = "{}"\n',
    "clients/javascript/package.json": '"version": "{}",\n',
    "clients/javascript/flowpulse.js": 'export const VERSION = "{}";\n',
    ".github/ISSUE_TEMPLATE/bug.yml": "placeholder: {}, ",
}
"""By file, the line that has it, once."""


class MissingPlaceError(Exception):
    """A file has its version no more where we look for it."""


def read_versions(root: Path = ROOT) -> dict[str, str]:
    """By file. Raises MissingPlaceError."""
    return {name: _find(root, name)[1] for name in PLACES}


def set_versions(version: str, root: Path = ROOT) -> None:
    """All of them, or none: raises MissingPlaceError before anything is written."""
    texts = {name: _find(root, name) for name in PLACES}
    for name, (text, old) in texts.items():
        line = PLACES[name]
        (root / name).write_text(text.replace(line.format(old), line.format(version)))


def order(version: str) -> tuple[int, ...]:
    """What versions are sorted by."""
    return tuple(int(number) for number in version.split("."))


def _find(root: Path, name: str) -> tuple[str, str]:
    """The file, and the version that it says."""
    text = (root / name).read_text()
    before, _, behind = PLACES[name].partition("{}")
    found = re.findall(f"{re.escape(before)}({SEMANTIC.pattern}){re.escape(behind)}", text)
    if len(found) != 1:
        raise MissingPlaceError(f"{name} does not have its version as {PLACES[name]!r}.")
    return text, found[0][0]
