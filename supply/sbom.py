"""`python -m supply.sbom FILE`: what FlowPulse is made of, as CycloneDX JSON (`make sbom`).

The packages that it runs on, at their pinned versions, and what browsers get of others' work.
"""

import re
import sys
from collections.abc import Iterator
from pathlib import Path

from cyclonedx.model import HashAlgorithm, HashType
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.output.json import JsonV1Dot6
from packageurl import PackageURL

from app import __version__

ROOT = Path(__file__).parent.parent
VENDOR = ROOT / "static" / "vendor"
_PIN = re.compile(r"^(?P<name>[A-Za-z0-9._-]+)==(?P<version>[^\s;]+)", re.MULTILINE)
_ROW = re.compile(
    r"^\| (?P<files>`[^|]+) \|[^|]*\| `(?P<name>[^`]+)` (?P<version>[0-9.]+),", re.MULTILINE
)
"""A line of the table in docs/vendored.md."""


def list_packages() -> Iterator[Component]:
    """Those of requirements.txt."""
    for pin in _PIN.finditer((ROOT / "requirements.txt").read_text()):
        name = re.sub(r"[-_.]+", "-", pin["name"]).lower()
        yield _describe(PackageURL("pypi", None, name, pin["version"]))


def list_vendored() -> Iterator[Component]:
    """Those of static/vendor, with each file and its checksum."""
    digests = dict(
        line.split("  ", 1)[::-1] for line in (VENDOR / "CHECKSUMS.sha256").read_text().splitlines()
    )
    packages: dict[PackageURL, Component] = {}
    for row in _ROW.finditer((ROOT / "docs" / "vendored.md").read_text()):
        scope, _, name = row["name"].rpartition("/")
        address = PackageURL("npm", scope or None, name, row["version"])
        package = packages.setdefault(address, _describe(address))
        for file in re.findall(r"`([^`]+)`", row["files"]):
            package.components.add(_describe_file(file, digests[file]))
    yield from packages.values()


def _describe(address: PackageURL) -> Component:
    return Component(
        name=f"{address.namespace}/{address.name}" if address.namespace else address.name,
        version=address.version,
        type=ComponentType.LIBRARY,
        purl=address,
        bom_ref=str(address),
    )


def _describe_file(name: str, digest: str) -> Component:
    return Component(
        name=name,
        type=ComponentType.FILE,
        bom_ref=f"static/vendor/{name}",
        hashes=[HashType(alg=HashAlgorithm.SHA_256, content=digest)],
    )


def make_sbom() -> str:
    """CycloneDX 1.6."""
    bom, used = Bom(), [*list_packages(), *list_vendored()]
    itself = Component(
        name="flowpulse", version=__version__, type=ComponentType.APPLICATION, bom_ref="flowpulse"
    )
    bom.metadata.component = itself
    for component in used:
        bom.components.add(component)
    bom.register_dependency(itself, used)
    return JsonV1Dot6(bom).output_as_string(indent=2)


def main() -> None:
    path = Path(sys.argv[1])
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"{make_sbom()}\n")
    print(f"Written: {path}")


if __name__ == "__main__":
    main()
