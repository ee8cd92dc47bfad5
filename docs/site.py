"""MkDocs' hook: what the site shows lies as it does in the repository, so that each link works in
both, and nothing is written twice."""

import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

ROOT = Path(__file__).parent.parent
SHOWN = (
    "*.md",
    "LICENSE",
    "docs/*.md",
    "docs/site.css",
    "docs/images/*.webp",
    "clients/*/README.md",
    "integrations/*.md",
    "integrations/*/*",
    "static/logo.svg",
    "static/vendor/*.woff2",
    "tests/contracts/access.txt",
)
"""Pages, and the files that they lead to."""
_NUMBERED = re.compile(r"\d+\. ")
_WITHIN = re.compile(r"^( {3}| {7})(?! )")
_REFERENCE = re.compile(r"^\[[^\]]+\]: \.\./\S+\n", re.MULTILINE)
"""To what only the place has that the repository is shown at."""
_REFERRED = re.compile(r"^(#+ )\[([^\]]+)\]", re.MULTILINE)


def on_files(files: Files, config: Any) -> Files:
    """In place of the documents' folder: all that is shown, by its path in the repository."""
    theme = [file for file in files if file.src_dir != config["docs_dir"]]
    paths = sorted({path for pattern in SHOWN for path in ROOT.glob(pattern) if path.is_file()})
    shown = [
        File.generated(config, path.relative_to(ROOT).as_posix(), abs_src_path=str(path))
        for path in paths
    ]
    return Files([*theme, *shown])


def on_page_markdown(markdown: str, **_: Any) -> str:
    """What belongs to a numbered item stands three spaces in; MkDocs wants four. Versions lead
    nowhere here."""
    is_numbered, lines = False, []
    markdown = _REFERRED.sub(r"\1\2", _REFERENCE.sub("", markdown))
    for line in markdown.split("\n"):
        if line and not line.startswith(" "):
            is_numbered = bool(_NUMBERED.match(line))
        lines.append(_WITHIN.sub(r"\1 ", line) if is_numbered else line)
    return "\n".join(lines)
