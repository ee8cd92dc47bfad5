"""compose.yaml, compose.postgres.yaml, CI's and Traefik's: no word in them that nobody knows."""

import os
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

import pytest
import yaml

from app.config import SETTINGS
from tests.deploy import files
from tests.programs import find
from tests.server import ROOT

NAMES = ("compose.yaml", "compose.postgres.yaml")
KNOWN = {setting.name for setting in SETTINGS}
OF_THE_IMAGE = {"HOST", "PORT", "FLOWPULSE_DATA_DIR"}
NOT_GIVEN = {
    "compose.yaml": {
        *OF_THE_IMAGE,
        "FLOWPULSE_DATABASE_URL",
        "FLOWPULSE_REPLICA_URL",
        "FLOWPULSE_DATABASE_DISK_GB",
    },
    "compose.postgres.yaml": OF_THE_IMAGE,
}
"""What the image or the file itself decides, and what is PostgreSQL's alone."""


def load(name: str) -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((ROOT / name).read_text())
    return loaded


@pytest.mark.parametrize("name", NAMES)
def test_each_setting_reaches_the_container_from_the_shell_or_env_file(name: str) -> None:
    given = load(name)["services"]["flowpulse"]["environment"]
    assert set(given) == KNOWN - NOT_GIVEN[name]
    own = {each for each, value in given.items() if value is not None}
    assert own <= {"FLOWPULSE_DATABASE_URL"}
    assert set(re.findall(r"FLOWPULSE_[A-Z_]+", (ROOT / name).read_text())) <= KNOWN


def test_each_variable_of_the_image_is_a_setting_or_pythons() -> None:
    own = {name for name in files.environment() if not name.startswith("PYTHON")} - {"PATH"}
    assert own <= KNOWN


@pytest.mark.parametrize("name", NAMES)
def test_the_container_can_change_nothing_but_its_data_and_tmp(name: str) -> None:
    service = load(name)["services"]["flowpulse"]
    assert service["read_only"] is True and service["cap_drop"] == ["ALL"]
    data = files.environment()["FLOWPULSE_DATA_DIR"]
    assert service["volumes"] == [f"data:{data}", "backups:/backups"]
    made = next(rest for word, rest in files.instructions() if "install -d -o 10001" in rest)
    assert {data, "/backups"} <= set(made.split()), "else a new volume would belong to root"
    assert [each.partition(":")[0] for each in service["tmpfs"]] == ["/tmp"]
    assert int(service["stop_grace_period"].removesuffix("s")) > 30
    assert all(port.startswith("127.0.0.1:") for port in service["ports"])


@pytest.mark.parametrize("name", NAMES)
def test_each_volume_and_service_that_is_named_is_there(name: str) -> None:
    document = load(name)
    for service in document["services"].values():
        assert {each.partition(":")[0] for each in service["volumes"]} <= set(document["volumes"])
        assert set(service.get("depends_on", {})) <= set(document["services"])


def test_the_image_with_postgresql_has_programs_that_are_as_new_as_its_server() -> None:
    services = load("compose.postgres.yaml")["services"]
    client = services["flowpulse"]["build"]["args"]["POSTGRES_CLIENT"]
    server = services["database"]["image"].partition(":")[2]
    assert int(client.rpartition("-")[2]) >= int(server)
    assert any("$POSTGRES_CLIENT" in rest for word, rest in files.instructions() if word == "RUN")
    assert all("trixie" in rest for word, rest in files.instructions() if word == "FROM")


def compose(*words: str, **env: str) -> subprocess.CompletedProcess[str]:
    """Docker Compose of Debian, which needs no Docker to read a file; no `.env` is read."""
    with NamedTemporaryFile() as nothing:
        return subprocess.run(
            [find("docker-compose"), "--env-file", nothing.name, *words],
            cwd=ROOT,
            env={"PATH": os.environ["PATH"], **env},
            capture_output=True,
            text=True,
        )


def read(name: str, **env: str) -> dict[str, Any]:
    """The file as Compose understands it."""
    done = compose("-f", name, "config", POSTGRES_PASSWORD="abc123", **env)
    assert (done.returncode, done.stderr) == (0, "")
    read: dict[str, Any] = yaml.safe_load(done.stdout)
    return read


@pytest.mark.parametrize("name", NAMES)
def test_docker_compose_understands_it(name: str) -> None:
    given = dict.fromkeys(KNOWN - NOT_GIVEN[name], "7")
    services = read(name, **given)["services"]
    assert set(services) == set(load(name)["services"])
    environment = services["flowpulse"]["environment"]
    own = environment.pop("FLOWPULSE_DATABASE_URL", "")
    assert environment == {each: "7" for each in given if each != "FLOWPULSE_DATABASE_URL"}
    assert own in ("", "postgresql://flowpulse:abc123@database/flowpulse")
    left_out = read(name)["services"]["flowpulse"]["environment"]
    assert {each for each, value in left_out.items() if value is not None} <= {
        "FLOWPULSE_DATABASE_URL"
    }


def test_docker_compose_refuses_what_it_does_not_know(tmp_path: Path) -> None:
    """Else it would have said nothing above."""
    slip = (ROOT / "compose.yaml").read_text().replace("read_only:", "read_onyl:")
    (tmp_path / "compose.yaml").write_text(slip)
    done = compose("-f", str(tmp_path / "compose.yaml"), "config", "--quiet")
    assert done.returncode != 0 and "read_onyl" in done.stderr


def test_docker_compose_wants_a_password_for_postgresql() -> None:
    done = compose("-f", "compose.postgres.yaml", "config", "--quiet")
    assert done.returncode != 0 and "Set it in .env, in letters and digits" in done.stderr


TRAEFIK = pytest.mark.parametrize("name", ["traefik.yaml", "traefik-sign-in.yaml"])


@TRAEFIK
def test_traefiks_routers_name_services_and_middlewares_that_are_there(name: str) -> None:
    http = load(f"deploy/proxies/{name}")["http"]
    for router in http["routers"].values():
        assert router["service"] in http["services"]
        assert set(router.get("middlewares", [])) <= set(http["middlewares"])
    transport = http["services"]["flowpulse"]["loadBalancer"]["serversTransport"]
    assert transport in http["serversTransports"]


@TRAEFIK
def test_no_client_s_path_or_name_passes_traefik(name: str) -> None:
    http = load(f"deploy/proxies/{name}")["http"]
    for router in http["routers"].values():
        if router["service"] == "flowpulse":
            first = http["middlewares"][router["middlewares"][0]]
            emptied = first["headers"]["customRequestHeaders"]
            assert {"X-Forwarded-Prefix", "X-Auth-Request-Email"} <= emptied.keys()
            assert set(emptied.values()) == {""}


def test_ci_runs_all_checks_and_keeps_the_list_of_parts() -> None:
    """As SECURITY.md says; `true` is how YAML 1.1 reads `on`."""
    workflow = load(".github/workflows/ci.yml")
    steps = workflow["jobs"]["checks"]["steps"]
    assert any(step.get("run", "").endswith(".ci/run") for step in steps)
    assert any(step.get("with", {}).get("path") == "build/sbom.json" for step in steps)
    assert workflow["permissions"] == {"contents": "read"}
    assert {"push", "pull_request"} <= set(workflow[True])
    commands = (ROOT / ".ci" / "run").read_text().splitlines()
    assert {"make lint", "make audit", "make sbom", "make docs", "make test"} <= set(commands)


def test_ci_builds_both_images_and_starts_both_compose_files() -> None:
    job = load(".github/workflows/ci.yml")["jobs"]["image"]
    assert "container" not in job, "Docker is not in it"
    assert [step["run"] for step in job["steps"] if "run" in step] == [".ci/image"]
    assert os.access(ROOT / ".ci" / "image", os.X_OK)


@pytest.fixture
def run_image_check(tmp_path: Path) -> Callable[[str], tuple[int, list[str]]]:
    """Runs `.ci/image` with programs in Docker's and curl's place, of which a call with these words
    fails: the exit status, and the calls."""

    def run(failing: str) -> tuple[int, list[str]]:
        calls = tmp_path / "calls"
        for name in ("docker", "curl"):
            program = tmp_path / name
            program.write_text(
                f'#!/bin/sh\necho "{name} $*" >> {calls}\n'
                f'case "$*" in {failing or "-"}) exit 1;; esac\n'
            )
            program.chmod(0o755)
        path = os.pathsep.join([str(tmp_path), "/usr/bin", "/bin"])
        done = subprocess.run([ROOT / ".ci" / "image"], env={"PATH": path}, cwd="/")
        return done.returncode, calls.read_text().splitlines()

    return run


def test_the_check_of_the_image_has_all_that_is_said_of_it(
    run_image_check: Callable[[str], tuple[int, list[str]]],
) -> None:
    status, calls = run_image_check("")
    assert status == 0
    for name in NAMES:
        begin = f"docker compose --env-file /dev/null -f {name} "
        own = [call.removeprefix(begin) for call in calls if call.startswith(begin)]
        assert [call.split()[0] for call in own] == ["build", "up", "exec", "down"]
        assert "--wait" in own[1].split() and "backup /backups" in own[2]
        assert own[3] == "down --volumes"
    assert [call.split()[-1] for call in calls if call.startswith("curl")] == [
        "http://127.0.0.1:8000/readyz"
    ] * len(NAMES)


@pytest.mark.parametrize("failing", ["*build*", "*postgres*--wait*", "*readyz*", "*exec*"])
def test_it_fails_and_cleans_up_where_something_fails(
    run_image_check: Callable[[str], tuple[int, list[str]]], failing: str
) -> None:
    status, calls = run_image_check(failing)
    assert status != 0
    assert calls[-2].endswith(" logs") and calls[-1].endswith(" down --volumes")
