"""`make release`: it refuses first, does each step once, and goes on where it was ended.

In a repository with a few of our files, and databases that are quickly made; the real ones are
tested in tests/releases/.
"""

import shutil
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest

from supply import release
from supply.release import RefusedError, Release, make_release
from supply.versions import PLACES, read_versions, set_versions
from tests.server import ROOT

FIRST = "1.0.0"
NEWS = "## [Unreleased]\n\n### Added\n\n- The first thing.\n"
MAKING = """import sys
from pathlib import Path

assert 'version = "' in Path("pyproject.toml").read_text()
folder = Path(sys.argv[1])
folder.mkdir(parents=True, exist_ok=True)
(folder / "sqlite.sql").write_text(f"-- Of {sys.argv[2]}\\n")
"""


def git(root: Path, *words: str) -> str:
    done = subprocess.run(["git", *words], cwd=root, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A repository in which 1.0.0 can be released."""
    for name in (".gitignore", *PLACES):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    set_versions("0.1.0", tmp_path)
    (tmp_path / "CHANGELOG.md").write_text(f"# Changelog\n\nIts form.\n\n{NEWS}")
    making = tmp_path / "tests" / "releases" / "making.py"
    making.parent.mkdir(parents=True)
    making.write_text(MAKING)
    git(tmp_path, "init", "--quiet")
    for name, value in (("user.name", "Ana"), ("user.email", "ana@example.org")):
        git(tmp_path, "config", name, value)
    commit(tmp_path)
    return tmp_path


def commit(root: Path) -> None:
    git(root, "add", "--all")
    git(root, "commit", "--quiet", "--message", "More")


def make(root: Path, version: str = "1.0.0") -> list[str]:
    return list(make_release(Release(version, root)))


def refusal(root: Path, version: str = "1.0.0") -> str:
    """What it says; and nothing has changed by it."""
    before = git(root, "status", "--porcelain"), git(root, "rev-parse", "HEAD")
    with pytest.raises(RefusedError) as refused:
        make(root, version)
    assert (git(root, "status", "--porcelain"), git(root, "rev-parse", "HEAD")) == before
    return str(refused.value)


def test_a_release_is_a_commit_of_all_its_files_and_a_tag_with_its_notes(root: Path) -> None:
    assert len(make(root)) == 6
    day = datetime.now(UTC).date()
    assert set(read_versions(root).values()) == {"1.0.0"}
    assert f"## [1.0.0] - {day}\n\n### Added\n\n- The first" in (root / "CHANGELOG.md").read_text()
    assert (root / "tests/releases/1.0.0/sqlite.sql").read_text() == f"-- Of {day}\n"
    assert git(root, "status", "--porcelain") == ""
    assert git(root, "log", "-1", "--format=%s") == "Release 1.0.0"
    assert git(root, "cat-file", "-t", "v1.0.0") == "tag"
    notes = git(root, "tag", "--list", "v1.0.0", "--format=%(contents)")
    assert notes == f"FlowPulse {FIRST}\n\n### Added\n\n- The first thing."


def test_a_second_call_finds_it_made_and_the_next_one_needs_news(root: Path) -> None:
    make(root)
    head = git(root, "rev-parse", "HEAD")
    assert make(root) == ["v1.0.0 is made already."]
    assert "lists nothing under Unreleased" in refusal(root, "1.1.0")
    changelog = root / "CHANGELOG.md"
    changelog.write_text(changelog.read_text().replace("## [Unreleased]\n", NEWS))
    commit(root)
    assert "is released already" in refusal(root)
    assert "0.9.0 is not higher than 1.0.0" in refusal(root, "0.9.0")
    make(root, "1.10.0")
    assert git(root, "rev-parse", "v1.0.0^{commit}") == head
    assert "1.9.0 is not higher than 1.10.0" in refusal(root, "1.9.0")


@pytest.mark.parametrize("version", ["", "1", "1.0", "v1.0.0", "01.0.0", "1.0.0-rc.1", "1.0.0\n"])
def test_what_is_no_version_is_refused(root: Path, version: str) -> None:
    assert "is no version" in refusal(root, version)


@pytest.mark.parametrize("name", ["notes.txt", "CHANGELOG.md", "tests/releases/1.0.0/sqlite.sql"])
def test_what_is_not_committed_is_refused(root: Path, name: str) -> None:
    (root / name).parent.mkdir(parents=True, exist_ok=True)
    with (root / name).open("a") as file:
        file.write("More.\n")
    assert f"Commit these first, or take them away: {name}" in refusal(root)


def test_the_first_release_is_no_lower_than_what_the_files_say(root: Path) -> None:
    set_versions("0.3.0", root)
    commit(root)
    assert "0.2.9 is not higher than 0.3.0, the last version" in refusal(root, "0.2.9")
    assert len(make(root, "0.3.0")) == 6


STEPS = ["write_versions", "write_databases", "commit", "make_tag"]


@pytest.mark.parametrize("step", STEPS)
def test_one_that_was_ended_goes_on_with_the_day_it_began_on(
    root: Path, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def end(_: Release) -> str:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(Release, step, end)
        make(root)
    changelog = root / "CHANGELOG.md"
    day = f"{datetime.now(UTC).date()}"
    for path in (changelog, root / "tests/releases/1.0.0/sqlite.sql"):
        if path.exists():
            path.write_text(path.read_text().replace(day, "2026-01-01"))
    if step == "make_tag":
        commit(root)
    make(root)
    assert "## [1.0.0] - 2026-01-01" in git(root, "show", "v1.0.0:CHANGELOG.md")
    assert git(root, "show", "v1.0.0:tests/releases/1.0.0/sqlite.sql") == "-- Of 2026-01-01"
    assert set(read_versions(root).values()) == {"1.0.0"}


def test_while_one_is_under_way_other_changes_are_refused_still(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Release("1.0.0", root).write_changelog()
    (root / "other.txt").touch()
    assert refusal(root).endswith("take them away: other.txt")


def test_databases_that_can_t_be_made_are_told_and_nothing_is_committed(root: Path) -> None:
    (root / "tests/releases/making.py").write_text("raise SystemExit('no room')")
    commit(root)
    head = git(root, "rev-parse", "HEAD")
    with pytest.raises(RefusedError, match="no room"):
        make(root)
    assert git(root, "rev-parse", "HEAD") == head and git(root, "tag") == ""


def test_a_place_that_has_no_version_any_more_is_told_before_any_is_set(root: Path) -> None:
    (root / "pyproject.toml").write_text("[project]\n")
    commit(root)
    with pytest.raises(RefusedError, match=r"pyproject\.toml does not have its version"):
        make(root)
    assert '__version__ = "1.0.0"' not in (root / "app/__init__.py").read_text()


def test_the_command_says_why_it_refuses(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["release", "next"])
    assert release.main() == 1
    assert capsys.readouterr().err.startswith("Not released. 'next' is no version.")
