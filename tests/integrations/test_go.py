"""The files for Go, compiled and run."""

import os
import subprocess
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from app.console.snippet_parts import Target
from tests.integrations.recorder import Recorder
from tests.integrations.running import AWKWARD, Done, Reports, put, run, target_away, target_of
from tests.programs import FOLDER, find
from tests.server import LiveServer
from tests.teams import LiveTeam

pytestmark = [
    pytest.mark.once,
    pytest.mark.needs("go"),
    pytest.mark.timeout(400),  # Go's own packages are compiled too, once.
]
OLDEST = "go1.18"
"""As the file says of itself."""
JOB = """package main

import (
	"errors"
	"fmt"
	"os"
)

type awkwardError struct{ text string }

func (e *awkwardError) Error() string { return e.text }

func main() {
	err := Watched(func() error {
		fmt.Println("job")
		switch os.Args[1] {
		case "good":
			return nil
		case "empty":
			return errors.New(" ")
		case "nil":
			var none *awkwardError
			return none
		case "panic":
			panic("no")
		}
		return &awkwardError{os.Args[1]}
	})
	fmt.Println("after", err != nil)
}
"""


def go(folder: Path, *words: str) -> Done:
    """Without a network, and with what it has compiled kept beside it."""
    given = {"GOCACHE": str(FOLDER / "go-cache"), "GO111MODULE": "off", "GOPROXY": "off"}
    given |= {"GOTOOLCHAIN": "local", "GOENV": "off", "GOFLAGS": "", "CGO_ENABLED": "0"}
    return subprocess.run(
        [find("go"), *words],
        cwd=folder,
        env={**os.environ, **given},
        capture_output=True,
        text=True,
        timeout=300,
    )


def build(folder: Path, target: Target, main: str = "") -> str:
    """A program of our file with this one around it, by default the page's."""
    folder.mkdir()
    put(folder, target, "go/flowpulse.go", "go/main.go")
    if main:
        (folder / "main.go").write_text(main)
    files = ("flowpulse.go", "main.go")
    done = go(folder, "build", f"-gcflags=-lang={OLDEST}", "-o", "job", *files)
    assert done.returncode == 0, done.stderr
    return str(folder / "job")


def test_the_go_files_are_formatted_as_go_does(tmp_path: Path) -> None:
    put(tmp_path, target_away(), "go/flowpulse.go", "go/main.go")
    assert f"Go {OLDEST[2:]} or newer" in (tmp_path / "flowpulse.go").read_text().splitlines()[0]
    assert run([str(find("go").with_name("gofmt")), "-l", "."], tmp_path).stdout == ""


def test_the_go_file_reports_what_the_job_came_to(
    live_server: LiveServer, live_team: LiveTeam, tmp_path: Path
) -> None:
    target = target_of(live_server, live_team)
    reports = Reports(live_server, live_team)
    done = run([build(tmp_path / "page", target)], tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, "Your job goes here.\n", "")
    job = build(tmp_path / "own", target, JOB)
    for given, output in (
        ("good", "job\nafter false\n"),
        (AWKWARD, "job\nafter true\n"),
        ("empty", "job\nafter true\n"),
        ("nil", "job\nafter true\n"),
        ("\udcff", "job\nafter true\n"),
    ):
        done = run([job, given], tmp_path)
        assert (done.returncode, done.stdout, done.stderr) == (0, output, ""), given
    done = run([job, "panic"], tmp_path)
    assert (done.returncode, done.stdout) == (2, "job\n")
    assert done.stderr.startswith("panic: no")
    page, good, *failures = reports.wait(7)
    assert {each["outcome"] for each in (page, good)} == {"success"}
    awkward, empty, none, bytes_, panic = failures
    assert {each["outcome"] for each in failures} == {"failure"}
    assert (awkward["error_message"], awkward["error_type"]) == (AWKWARD, "*main.awkwardError")
    assert empty["error_message"] == "The job failed without a message"
    assert none["error_message"] == "<nil>"
    assert bytes_["error_message"] == "\N{REPLACEMENT CHARACTER}"
    assert (panic["error_message"], panic["error_type"]) == ("The job panicked", "panic")
    for each in (page, good, *failures):
        assert each["warnings"] is None and each["source_platform"] == "go"
        assert each["duration_ms"] is not None and each["external_execution_id"]


def test_the_go_file_sends_a_report_again_whose_answer_got_lost(
    live_server: LiveServer, live_team: LiveTeam, tmp_path: Path
) -> None:
    recorder = Recorder(live_server.url)
    recorder.first = [503]
    target = target_of(live_server, live_team)
    job = build(tmp_path / "job", replace(target, base_url=recorder.url), JOB)
    reports = Reports(live_server, live_team)
    done = run([job, "good"], tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    first, again = recorder.take(2)
    assert first == again and first.header("idempotency-key")
    assert reports.wait(1)[0]["outcome"] == "success"


def test_the_go_file_never_panics(
    live_server: LiveServer, live_team: LiveTeam, tmp_path: Path
) -> None:
    """Where nobody listens, without an address, and with a key that is refused or can't be one."""
    away = build(tmp_path / "away", target_away(), JOB)
    nowhere = build(tmp_path / "nowhere", replace(target_away(), base_url="nonsense"), JOB)
    here = build(tmp_path / "here", target_of(live_server, live_team), JOB)
    ways = [(away, ""), (nowhere, ""), (here, "fp_wrong"), (here, "fp_\nwrong")]

    def start(way: tuple[str, str]) -> Done:
        return run([way[0], "good"], tmp_path, FLOWPULSE_API_KEY=way[1])

    with ThreadPoolExecutor() as threads:  # Three of them try again for 4 s.
        for done in threads.map(start, ways):
            assert (done.returncode, done.stdout) == (0, "job\nafter false\n"), done.stderr
            assert done.stderr.startswith("FlowPulse did not take the report:")
