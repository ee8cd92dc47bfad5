"""What was taken from elsewhere is what its checksum says, and nothing else lies there."""

import gzip
import hashlib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
STATIC = ROOT / "static"
VENDOR = STATIC / "vendor"
CHECKSUMS = VENDOR / "CHECKSUMS.sha256"
FIRST_VISIT_LIMIT = 250 * 1024


def _listed() -> dict[str, str]:
    lines = CHECKSUMS.read_text().splitlines()
    return {name: digest for digest, name in (line.split("  ", 1) for line in lines)}


def test_every_vendored_file_is_listed_and_unchanged() -> None:
    files = {path.name: path for path in VENDOR.iterdir() if path != CHECKSUMS}
    found = {name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in files.items()}
    assert found == _listed()


def test_every_vendored_package_brings_its_licence() -> None:
    assets = {name for name in _listed() if not name.endswith(".LICENSE.txt")}
    licences = {name.removesuffix(".LICENSE.txt") for name in _listed()} - assets
    names = {licence.rsplit("-", 1)[0] for licence in licences}
    # hx-sse is part of htmx's own package.
    assert all(asset.startswith((*names, "hx-sse-")) for asset in assets)


def test_every_vendored_file_is_told_in_the_docs() -> None:
    docs = (ROOT / "docs" / "vendored.md").read_text()
    assets = [name for name in _listed() if not name.endswith(".LICENSE.txt")]
    assert [name for name in assets if name not in docs] == []


def test_a_first_visit_stays_small() -> None:
    """Fonts for other letters are asked for only by a page that has some (unicode-range)."""
    text = [path for path in STATIC.rglob("*") if path.suffix in {".css", ".js", ".svg"}]
    compressed = sum(len(gzip.compress(path.read_bytes())) for path in text)
    latin = [path for path in VENDOR.glob("*.woff2") if "latin-ext" not in path.name]
    fonts = sum(path.stat().st_size for path in latin)
    assert compressed + fonts <= FIRST_VISIT_LIMIT
