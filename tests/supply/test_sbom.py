"""The list of what FlowPulse is made of holds all of it."""

import json
from pathlib import Path
from typing import Any

import pytest

from supply.sbom import make_sbom
from tests.test_tooling import pins
from tests.test_vendored import _listed

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture(scope="module")
def sbom() -> dict[str, Any]:
    made: dict[str, Any] = json.loads(make_sbom())
    return made


def test_it_is_cyclonedx_and_about_this_version(sbom: dict[str, Any]) -> None:
    assert (sbom["bomFormat"], sbom["specVersion"]) == ("CycloneDX", "1.6")
    assert sbom["metadata"]["component"]["name"] == "flowpulse"


def test_every_package_that_it_runs_on_is_in_it(sbom: dict[str, Any]) -> None:
    listed = {each["purl"] for each in sbom["components"] if each["purl"].startswith("pkg:pypi/")}
    wanted = pins("requirements.txt")
    assert listed == {f"pkg:pypi/{name}@{version}" for name, version in wanted.items()}
    (itself,) = [each for each in sbom["dependencies"] if each["ref"] == "flowpulse"]
    assert set(itself["dependsOn"]) == {each["bom-ref"] for each in sbom["components"]}


def test_every_file_that_browsers_get_of_others_is_in_it_with_its_checksum(
    sbom: dict[str, Any],
) -> None:
    found = {
        file["name"]: file["hashes"][0]["content"]
        for package in sbom["components"]
        for file in package.get("components", ())
    }
    assets = {name: digest for name, digest in _listed().items() if ".LICENSE." not in name}
    assert found == assets


def test_ci_makes_it_and_asks_for_advisories() -> None:
    lines = (ROOT / ".ci" / "run").read_text().splitlines()
    assert {"make audit", "make sbom"} <= set(lines)
