"""Shell, and what holds shell: units, pipelines, a container's command."""

import shlex
from pathlib import Path

import pytest
import yaml

from app.console.integration_files import FOLDER, read_file
from app.console.snippet_parts import Target
from tests.integrations.running import (
    AWKWARD,
    SHELLS,
    Reports,
    put,
    run,
    target_away,
    target_of,
)
from tests.server import LiveServer
from tests.teams import LiveTeam

pytestmark = [
    pytest.mark.once,  # A file does not know which database the server has.
    pytest.mark.needs(*SHELLS, "curl"),
]


def make_job(folder: Path, status: int) -> Path:
    (folder / "said").write_text(AWKWARD)
    job = folder / "job.sh"
    job.write_text(f"#!/bin/sh\ncat said\nexit {status}\n")
    job.chmod(0o755)
    return job


@pytest.mark.parametrize("shell", SHELLS)
def test_the_function_ends_like_the_job_and_tells_its_output(
    live_server: LiveServer, live_team: LiveTeam, tmp_path: Path, shell: str
) -> None:
    put(tmp_path, target_of(live_server, live_team), "shell/flowpulse.sh")
    reports = Reports(live_server, live_team)
    for status in (0, 7):
        job = make_job(tmp_path, status)
        script = f"set -eu\n. ./flowpulse.sh\nwatched {live_team.slug} {job}\n"
        done = run([shell, "-c", script], tmp_path)
        assert (done.returncode, done.stdout, done.stderr) == (status, AWKWARD, "")
    success, failure = reports.wait(2)
    assert (success["outcome"], failure["outcome"]) == ("success", "failure")
    assert failure["error_message"] == AWKWARD
    assert failure["error_type"] == "exit status 7"


def test_the_function_changes_nothing_while_flowpulse_is_away(tmp_path: Path) -> None:
    put(tmp_path, target_away(), "shell/flowpulse.sh")
    job = make_job(tmp_path, 3)
    done = run(["sh", "-c", f". ./flowpulse.sh\nwatched lead {job}\necho $?"], tmp_path)
    assert (done.returncode, done.stdout) == (0, f"{AWKWARD}3\n")
    assert "curl" in done.stderr


GITHUB = {"GITHUB_RUN_ATTEMPT": "1", "GITHUB_JOB": "nightly", "JOB_INDEX": "0"}
GITLAB = {"CI_JOB_URL": "https://gitlab.example/1"}


@pytest.mark.parametrize(("status", "outcome"), [("success", "success"), ("failure", "failure")])
def test_the_last_step_on_github_tells_how_the_job_ended(
    live_server: LiveServer, live_team: LiveTeam, tmp_path: Path, status: str, outcome: str
) -> None:
    target = target_of(live_server, live_team)
    workflow = yaml.safe_load(read_file("github-actions/nightly.yml", target))
    step = workflow["jobs"]["nightly"]["steps"][-1]
    assert (step["if"], step["continue-on-error"]) == ("always()", True)
    assert step["env"]["FLOWPULSE_URL"] == live_server.url
    assert step["env"]["JOB_STATUS"] == "${{ job.status }}"
    given = {"JOB_STATUS": status, "RUN_URL": "https://github.example/1", **GITHUB}
    given |= {
        "GITHUB_RUN_ID": f"812-{status}",
        "FLOWPULSE_URL": live_server.url,
        "FLOWPULSE_API_KEY": live_team.key,
    }
    reports = Reports(live_server, live_team)
    for _ in range(2):  # The same attempt, told twice, is one event.
        done = run(["bash", "-e", "-c", step["run"]], tmp_path, **given)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    (told,) = reports.wait(1)
    assert (told["outcome"], told["warnings"]) == (outcome, None)
    assert told["external_execution_id"].endswith("-1-nightly-0")
    if outcome == "failure":
        assert told["error_message"] == "failure: https://github.example/1"


@pytest.mark.parametrize("status", ["success", "failed", "canceled"])
@pytest.mark.parametrize("shell", SHELLS)
def test_the_after_script_on_gitlab_tells_how_the_job_ended(
    live_server: LiveServer, live_team: LiveTeam, tmp_path: Path, status: str, shell: str
) -> None:
    target = target_of(live_server, live_team)
    job = yaml.safe_load(read_file("gitlab-ci/gitlab-ci.yml", target))["nightly"]
    (script,) = job["after_script"]
    given = {"CI_JOB_STATUS": status, "CI_JOB_ID": f"{shell}-{status}", **GITLAB}
    given |= job["variables"] | {"FLOWPULSE_API_KEY": live_team.key}
    reports = Reports(live_server, live_team)
    done = run([shell, "-e", "-c", script], tmp_path, **given)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    (told,) = reports.wait(1)
    assert told["outcome"] == ("success" if status == "success" else "failure")


def test_pipelines_go_on_while_flowpulse_is_away(tmp_path: Path) -> None:
    job = yaml.safe_load(read_file("gitlab-ci/gitlab-ci.yml", target_away()))["nightly"]
    given = {"CI_JOB_STATUS": "failed", "CI_JOB_ID": "1", "FLOWPULSE_API_KEY": "k", **GITLAB}
    given |= job["variables"]
    assert run(["sh", "-e", "-c", job["after_script"][0]], tmp_path, **given).returncode == 0


def container(target: Target) -> dict[str, object]:
    secret, job = yaml.safe_load_all(read_file("kubernetes/cronjob.yaml", target))
    assert secret["stringData"] == {"FLOWPULSE_API_KEY": target.key}
    assert (job["kind"], job["spec"]["concurrencyPolicy"]) == ("CronJob", "Forbid")
    (one,) = job["spec"]["jobTemplate"]["spec"]["template"]["spec"]["containers"]
    assert one["envFrom"] == [{"secretRef": {"name": secret["metadata"]["name"]}}]
    return dict(one)


def run_container(target: Target, folder: Path, job: Path, **more: str) -> tuple[int, str]:
    one = container(target)
    env = {each["name"]: each["value"] for each in one["env"]}  # type: ignore[attr-defined]
    env |= {"JOB": str(job), "FLOWPULSE_API_KEY": target.key, **more}
    script = one["args"][0].replace("/tmp/", f"{folder}/")  # type: ignore[index]
    done = run([*one["command"], script], folder, **env)  # type: ignore[misc]
    return done.returncode, done.stdout


def test_the_cron_job_of_kubernetes_fetches_the_wrapper_and_runs_the_job(
    live_server: LiveServer, live_team: LiveTeam, tmp_path: Path
) -> None:
    reports = Reports(live_server, live_team)
    ended = run_container(target_of(live_server, live_team), tmp_path, make_job(tmp_path, 4))
    assert ended == (4, AWKWARD)
    told = reports.wait(2)[-1]
    assert (told["outcome"], told["error_type"]) == ("failure", "exit status 4")


def test_the_cron_job_of_kubernetes_runs_without_flowpulse(
    live_server: LiveServer, tmp_path: Path
) -> None:
    """Also where something else answers in its place."""
    job, other = make_job(tmp_path, 4), f"{live_server.url}/healthz?"
    assert run_container(target_away(), tmp_path, job) == (4, AWKWARD)
    assert run_container(target_away(), tmp_path, job, FLOWPULSE_URL=other) == (4, AWKWARD)


def settings_of(unit: str) -> dict[str, str]:
    pairs = [line.split("=", 1) for line in unit.splitlines() if "=" in line]
    return dict(pairs)


def test_the_units_run_the_job_and_tell_of_what_failed(
    live_server: LiveServer, live_team: LiveTeam, tmp_path: Path
) -> None:
    target = target_of(live_server, live_team)
    env = dict(line.split("=", 1) for line in read_file("systemd/flowpulse.env", target).split())
    assert env == {"FLOWPULSE_API_KEY": live_team.key}
    put(tmp_path, target, "cron/install.sh")
    assert run(["sh", "install.sh"], tmp_path, HOME=str(tmp_path)).returncode == 0
    service = settings_of(read_file("systemd/nightly.service", target))
    failed = settings_of(read_file("systemd/flowpulse-failed@.service", target))
    job = make_job(tmp_path, 5)
    command = service["ExecStart"].replace("/usr/local/bin", f"{tmp_path}/.local/bin")
    command = command.replace("/path/to/job", str(job))
    given = dict([service["Environment"].split("=", 1)]) | env
    reports = Reports(live_server, live_team)
    assert run(shlex.split(command), tmp_path, **given).returncode == 5
    told = reports.wait(2)[-1]
    assert (told["outcome"], told["error_type"]) == ("failure", "exit status 5")
    reports = Reports(live_server, live_team)
    started = failed["ExecStart"].replace("$$", "$").replace("%i", "nightly.service")
    done = run(shlex.split(started), tmp_path, **given, INVOCATION_ID="f" * 32)
    assert (done.returncode, done.stderr) == (0, "")
    (told,) = reports.wait(1)
    assert told["error_message"] == "The unit nightly.service failed"
    assert service["OnFailure"] == "flowpulse-failed@%n.service"


def test_each_block_of_shell_in_the_pages_can_be_read_by_sh() -> None:
    for file in sorted(FOLDER.rglob("*.sh")):
        assert run(["sh", "-n", str(file)], FOLDER).returncode == 0, file
