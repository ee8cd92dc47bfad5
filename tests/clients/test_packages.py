"""Both clients as packages: built, installed elsewhere, and used from there."""

import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest

from app import __version__
from tests.programs import find
from tests.server import ROOT, LiveServer
from tests.teams import LiveTeam

PYTHON, JAVASCRIPT = ROOT / "clients" / "python", ROOT / "clients" / "javascript"
USE = """
from flowpulse import Client, __version__
with Client().run({slug!r}) as fields:
    fields["metadata"] = {{"version": __version__}}
"""
TYPED = """
import { Client, RefusedError, VERSION, type Accepted, type BatchAnswer } from "flowpulse";

const client = new Client({ url: "http://127.0.0.1:9", apiKey: "fp_key", totalTimeoutMs: 1000 });
const sent: Accepted = await client.success("s", { metadata: { rows: 3 }, ended_at: VERSION });
const rows: number = await client.run("s", (fields) => { fields.duration_ms = 1; return 3; });
const answer: BatchAnswer = await client.batch([{ kind: "run-success", workflow_slug: "s" }]);
for (const event of answer.events) if ("code" in event) console.log(event.detail, sent, rows);
try {
  await client.failure("s", "boom", { error_type: "T" });
} catch (error) {
  if (error instanceof RefusedError) console.log(error.events[0]?.code, error.inspect);
}
// @ts-expect-error: a time is a text
await client.success("s", { ended_at: 5 });
// @ts-expect-error: there is no such kind
await client.batch([{ kind: "run-successful" }]);
"""


def run(*command: str, **options: Any) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=100, check=False, **options
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done


@pytest.mark.once
def test_the_wheel_works_in_an_environment_of_its_own(
    live_server: LiveServer, own_team: LiveTeam, tmp_path: Path
) -> None:
    source = tmp_path / "source"
    shutil.copytree(PYTHON, source, ignore=shutil.ignore_patterns("__pycache__"))
    offline = ("--no-index", "--no-deps", "--no-build-isolation", "-q")
    run(sys.executable, "-m", "pip", "wheel", *offline, "-w", str(tmp_path), str(source))
    (wheel,) = tmp_path.glob("*.whl")
    assert wheel.name == f"flowpulse-{__version__}-py3-none-any.whl"
    names = zipfile.ZipFile(wheel).namelist()
    assert "flowpulse/py.typed" in names and any("LICENSE" in name for name in names)
    run(sys.executable, "-m", "venv", "--without-pip", str(tmp_path / "venv"))
    python = str(tmp_path / "venv" / "bin" / "python")
    target = run(python, "-c", "import site; print(site.getsitepackages()[0])").stdout.strip()
    run(sys.executable, "-m", "pip", "install", "-q", "--no-index", "-t", target, str(wheel))
    server, team = live_server, own_team
    told = {"FLOWPULSE_URL": server.url, "FLOWPULSE_API_KEY": team.key, "PYTHONPATH": ""}
    script = ("-I", "-c", USE.format(slug=team.slug))
    run(python, *script, env={**os.environ, **told}, cwd=tmp_path)
    events = server.get("/api/v1/events", headers=team.headers).json()["data"]
    assert [event["kind"] for event in events] == ["run-success", "run-start"]


@pytest.mark.once
@pytest.mark.needs("npm")
def test_what_npm_packs_is_the_client_and_no_more() -> None:
    packed = json.loads(run("npm", "pack", "--dry-run", "--json", cwd=JAVASCRIPT).stdout)[0]
    assert (packed["name"], packed["version"]) == ("flowpulse", __version__)
    wanted = {"LICENSE", "README.md", "flowpulse.d.ts", "flowpulse.js", "package.json"}
    assert {file["path"] for file in packed["files"]} == wanted


@pytest.mark.once
def test_both_bring_the_projects_licence() -> None:
    for folder in (PYTHON, JAVASCRIPT):
        assert (folder / "LICENSE").read_text() == (ROOT / "LICENSE").read_text()


@pytest.mark.once
@pytest.mark.needs("node", "tsc")
def test_the_types_say_what_the_javascript_client_takes_and_answers(tmp_path: Path) -> None:
    compiler = "node", str(find("tsc"))
    (tmp_path / "node_modules").mkdir()
    (tmp_path / "node_modules" / "flowpulse").symlink_to(JAVASCRIPT)
    (tmp_path / "package.json").write_text('{"type": "module"}')
    (tmp_path / "use.ts").write_text(TYPED)
    strict = "--noEmit --strict --target es2022 --module nodenext --moduleResolution nodenext"
    run(*compiler, *strict.split(), "--lib", "es2022,dom", "use.ts", cwd=tmp_path)


@pytest.mark.once
@pytest.mark.needs("node")
def test_what_the_types_name_is_what_the_client_exports() -> None:
    code = "import * as all from './flowpulse.js'; console.log(Object.keys(all).sort().join())"
    exported = run("node", "--input-type=module", "-e", code, cwd=JAVASCRIPT).stdout.strip()
    types = (JAVASCRIPT / "flowpulse.d.ts").read_text()
    words = (line.split() for line in types.splitlines() if line.startswith("export "))
    values = {each[2].rstrip(":") for each in words if each[1] in ("class", "const")}
    assert exported == ",".join(sorted(values))
    assert f'VERSION = "{__version__}"' in (JAVASCRIPT / "flowpulse.js").read_text()
