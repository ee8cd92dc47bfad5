"""The files around the app: pinned packages, settings' example, commands, house rules."""

import re
import runpy
import subprocess
from importlib.metadata import version
from pathlib import Path

import pytest
import yaml

from app import __version__
from app.config import SETTINGS
from supply.versions import PLACES, read_versions
from tests.programs import git
from tests.second_chance import EXIT_STATUS, SecondChance, is_final

ROOT = Path(__file__).parent.parent
READ = frozenset({".html", ".md", ".py", ".toml"})
PIN = re.compile(r"(?P<name>[A-Za-z0-9._-]+)==(?P<version>[0-9][^ ;]*)")
HASH = re.compile(r"--hash=sha256:[0-9a-f]{64}")
LISTS = ("requirements", "requirements-dev", "requirements-docs")
# Put together here, so that this file doesn't find itself.
REGISTRIES = tuple(
    first + second
    for first, second in (
        ("python", "hosted.org"),
        ("index", "-url"),
        ("find", "-links"),
        ("py", "pi.org/simple"),
        ("registry.npm", "js.org"),
        ("registry.yarn", "pkg.com"),
    )
)


def lines(name: str) -> list[str]:
    """A requirements file without comments and references to another one."""
    text = (ROOT / name).read_text()
    return [line for line in text.splitlines() if line and not line.startswith(("#", "-r "))]


def normalise(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def pins(name: str) -> dict[str, str]:
    """Versions by package."""
    found = [PIN.fullmatch(line) for line in lines(name)]
    return {normalise(match["name"]): match["version"] for match in found if match}


@pytest.mark.parametrize("name", [*LISTS, "requirements-programs"])
def test_every_package_is_pinned_to_one_version(name: str) -> None:
    assert [line for line in lines(f"{name}.txt") if not PIN.fullmatch(line)] == []


@pytest.mark.parametrize("name", LISTS)
def test_what_is_asked_for_is_pinned(name: str) -> None:
    wanted = {normalise(re.split(r"[\[=<>]", line)[0]) for line in lines(f"{name}.in")}
    assert wanted <= set(pins(f"{name}.txt"))


@pytest.mark.parametrize("name", [*LISTS, "requirements-programs"])
def test_what_is_installed_is_what_is_pinned_each_with_its_hashes(name: str) -> None:
    text = (ROOT / f"{name}-hashed.txt").read_text().replace("\\\n", " ")
    found = [line.split() for line in text.splitlines() if line and line[0] not in "#-"]
    pinned = [PIN.fullmatch(words[0]) for words in found]
    assert {normalise(each["name"]): each["version"] for each in pinned if each} == pins(
        f"{name}.txt"
    )
    without = [words[0] for words in found if not all(map(HASH.fullmatch, words[1:] or [""]))]
    assert without == []
    others = [line for line in text.splitlines() if line.startswith("-")]
    assert others == (["-r requirements-hashed.txt"] if name == "requirements-dev" else [])


@pytest.mark.parametrize(
    ("target", "name"),
    [
        (".venv/.flowpulse-run", "requirements"),
        (".venv/.flowpulse-dev", "requirements-dev"),
        (".venv/docs/.flowpulse-docs", "requirements-docs"),
    ],
)
def test_make_installs_nothing_that_has_another_hash(target: str, name: str) -> None:
    def told(*options: str) -> str:
        command = ["make", "-n", "-B", "--no-print-directory", *options, target]
        return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout

    (line,) = re.findall(r"pip install .*", told())
    assert line == f"pip install -qq --require-hashes -r {name}-hashed.txt"
    assert f"-r {name}.txt" in told("HASHED="), "where an index has files of its own"


def test_the_tests_run_on_the_pinned_versions() -> None:
    pinned = pins("requirements.txt") | pins("requirements-dev.txt")
    assert {name: version(name) for name in pinned} == pinned


def tracked_files() -> list[Path]:
    return [ROOT / name for name in git("ls-files", "-z").split("\0") if name]


def test_no_tracked_file_names_a_package_registry() -> None:
    found = [
        f"{path.relative_to(ROOT)}: {word}"
        for path in tracked_files()
        if path.is_file()
        for word in REGISTRIES
        if word.encode() in path.read_bytes()
    ]
    assert found == []


def test_the_example_settings_are_those_of_the_app() -> None:
    text = (ROOT / ".env.example").read_text()
    listed = re.findall(r"^#([A-Z_]+)=(.*)$", text, re.MULTILINE)
    assert listed == [(setting.name, setting.default) for setting in SETTINGS]
    said = " ".join(text.replace("\n# ", " ").split())
    assert [setting.name for setting in SETTINGS if setting.help not in said] == []


def test_make_alone_lists_every_command_for_people() -> None:
    answer = subprocess.run(["make"], cwd=ROOT, capture_output=True, text=True, check=True)
    targets = re.findall(r"^([a-z-]+):.*## ", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert re.findall(r"^  make ([a-z-]+) ", answer.stdout, re.MULTILINE) == targets
    assert {"run", "test", "lint", "format", "bench", "drills", "docs"} <= set(targets)


def test_the_web_server_reads_the_env_file_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".env").write_text("HOST=::1\nPORT=8456\nWEB_CONCURRENCY=5\n")
    monkeypatch.chdir(tmp_path)
    for name in ("HOST", "PORT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("WEB_CONCURRENCY", "3")
    settings = runpy.run_path(str(ROOT / "gunicorn.conf.py"))
    assert (settings["bind"], settings["workers"]) == ("[::1]:8456", 3)


SEMANTIC = re.compile(r"(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(-[0-9A-Za-z.-]+)?", re.ASCII)
NAMED = re.compile(rb"FlowPulse/? ?v?\d+\.\d+\.\d+")
CHANGES = {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}
"""Of Keep a Changelog 1.1.0."""


def test_the_changelog_keeps_its_form_and_versions_are_semantic() -> None:
    text = (ROOT / "CHANGELOG.md").read_text()
    first, *released = re.findall(r"^## (.*)$", text, re.MULTILINE)
    heads = [re.fullmatch(r"\[(\S+)\] - \d{4}-\d\d-\d\d", each) for each in released]
    versions = [head[1] for head in heads if head]
    assert first == "[Unreleased]" and len(versions) == len(released)
    assert all(SEMANTIC.fullmatch(each) for each in [__version__, *versions])
    assert versions[:1] in ([], [__version__])
    assert set(re.findall(r"^### (.*)$", text, re.MULTILINE)) <= CHANGES


def test_each_place_that_has_the_version_says_the_same_and_no_text_beside_them_has_it() -> None:
    assert set(read_versions().values()) == {__version__}
    others = [path for path in tracked_files() if str(path.relative_to(ROOT)) not in PLACES]
    named = [path.name for path in others if path.is_file() and NAMED.search(path.read_bytes())]
    assert named == []


def test_what_a_project_tells_of_itself_is_there_and_can_be_read() -> None:
    assert "MIT License" in (ROOT / "LICENSE").read_text()
    assert "SECURITY.md" in (ROOT / "CODE_OF_CONDUCT.md").read_text()
    assert "CHANGELOG.md" in (ROOT / ".github" / "pull_request_template.md").read_text()
    forms = sorted((ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.yml"))
    for path in (*forms, ROOT / ".github" / "dependabot.yml", ROOT / ".pre-commit-config.yaml"):
        assert yaml.safe_load(path.read_text()), path
    assert {path.stem for path in forms} == {"bug", "config", "idea"}


def test_the_hooks_before_a_commit_do_what_make_lint_does() -> None:
    """On the files that change, where a tool takes files: they come behind the entry."""
    settings = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())
    hooks = [hook for repo in settings["repos"] for hook in repo["hooks"]]
    said = subprocess.run(
        ["make", "--no-print-directory", "--dry-run", "lint"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    linted = re.findall(r"^\S+/bin/python -m ((?:ruff|mypy|djlint) .*)$", said, re.MULTILINE)
    assert len(linted) == 4
    takes_files = [hook for hook in hooks if hook.get("pass_filenames", True)]
    assert [hook["id"] for hook in takes_files] == ["ruff-check", "ruff-format", "djlint"]
    expected = {"ruff-check": " .", "ruff-format": " --check .", "djlint": " templates"}
    entries = {
        hook["entry"].removeprefix(".venv/bin/").replace(" --force-exclude", "")
        + expected.get(hook["id"], "")
        for hook in hooks
    }
    assert entries == set(linted)


def test_the_hook_of_types_runs_for_what_it_checks() -> None:
    settings = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())
    (hook,) = (each for repo in settings["repos"] for each in repo["hooks"] if each["id"] == "mypy")
    places = hook["entry"].partition("--strict ")[2].split()
    checked = [each for place in places for each in [ROOT / place, *(ROOT / place).rglob("*.py")]]
    names = [path.relative_to(ROOT).as_posix() for path in checked if path.is_file()]
    assert len(names) > 100
    assert [name for name in names if not re.search(hook["files"], name)] == []


def test_every_command_of_make_that_is_named_anywhere_is_there() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = {
        (path.name, target)
        for path in tracked_files()
        if path.suffix in READ
        for target in re.findall(r"`make ([a-z-]+)", path.read_text("utf-8"))
    }
    assert ("README.md", "run") in named
    assert {each for each in named if each[1] not in targets} == set()


FAILING = """
import threading
import time

import pytest
import requests

from tests.server import wait_for

@pytest.mark.timeout(1, method="signal")
def test_it():
    {ending}

@pytest.fixture
def refused():
    raise RuntimeError
"""
REFUSED_SETUP = "pass\n\n@pytest.mark.usefixtures('refused')\ndef test_more():\n    pass"


@pytest.mark.parametrize(
    ("folder", "ending", "status"),
    [
        ("drills", "lost = 1; assert lost == 0", EXIT_STATUS),
        ("contracts", "assert 200 == 403, 'with timeout=30'", EXIT_STATUS),
        ("hostile", "raise RuntimeError('a Timeout that is none')", EXIT_STATUS),
        ("processing", "assert not 'doubled'", EXIT_STATUS),
        ("ingest", "{}['event_id']", EXIT_STATUS),
        ("drills", "time.sleep(5)", 1),
        ("drills", "wait_for(lambda: False, 0.1)", 1),
        ("drills", "raise requests.ReadTimeout('slow')", 1),
        ("drills", "raise TimeoutError", 1),
        ("hostile", REFUSED_SETUP, 1),
        ("console", "assert 0", 1),
        ("drills", "pass", 0),
    ],
)
def test_what_may_be_a_rare_loss_gets_no_second_chance(
    tmp_path: Path, folder: str, ending: str, status: int
) -> None:
    place = tmp_path / "tests" / folder
    place.mkdir(parents=True)
    (place / f"test_{tmp_path.name}.py").write_text(FAILING.format(ending=ending))
    options = ["-c", "/dev/null", "--rootdir", str(tmp_path), "-p", "no:playwright", "-q"]
    options += ["-p", "no:cacheprovider"]
    assert pytest.main([*options, str(place)], [SecondChance()]) == status


@pytest.mark.parametrize(
    "message",
    [
        "worker 'gw1' crashed while running 'tests/drills/test_kill.py::test_a_kill'",
        "playwright._impl._errors.TimeoutError: Page.goto: Timeout 30000ms exceeded.",
        "AssertionError: Locator expected to be visible\nCall log:\n"
        '  - Expect "to_be_visible" with timeout 5000ms',
        "tests.server.ServerError: No answer within 30 s:\n--- web.log",
        "subprocess.TimeoutExpired: Command 'flask' timed out after 60 seconds",
        "Failed: Timeout (>120.0s) from pytest-timeout.",
    ],
)
def test_a_time_out_is_known_by_its_message(message: str) -> None:
    name = "tests/drills/test_kill.py::test_a_kill"
    place = ("tests/drills/test_kill.py", 1, name)
    for text, is_so in ((message, False), ("assert 1 == 0", True)):
        report = pytest.TestReport(name, place, {}, "failed", text, "call")
        assert is_final(report) is is_so


@pytest.mark.parametrize(("status", "is_run_again"), [(1, True), (EXIT_STATUS, False)])
def test_make_runs_failed_tests_once_more_unless_they_are_final(
    status: int, is_run_again: bool
) -> None:
    rule = f"once: ; @(exit {status}) || $(ONCE_MORE)"
    done = subprocess.run(
        ["make", "--no-print-directory", f"--eval={rule}", "once", "PY=echo"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode == 0, "-m pytest --last-failed" in done.stdout) == (is_run_again,) * 2
