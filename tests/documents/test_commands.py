"""Each command that a document shows works as it stands, against a real server or database."""

import re
import shlex
from importlib.util import find_spec
from pathlib import Path

import click
import pytest
from flask import Flask

from tests.documents.blocks import (
    CALL,
    HISTORY,
    Code,
    begins_with_program,
    documents,
    list_commands,
)
from tests.documents.exceptions import EXCEPTIONS, How
from tests.documents.running import Place, run
from tests.documents.sources import read_source
from tests.programs import find
from tests.server import LiveServer
from tests.teams import LiveTeam

COMMANDS = list_commands()
WITH_SUBCOMMANDS = ("docker", "git", "make", "n8n", "npm", "systemctl")

pytestmark = pytest.mark.once


def find_pieces(file: str, words: str) -> list[Code]:
    """Of that document: the one that is just these words, or else all that have them."""
    there = [code for code in COMMANDS if code.file == file and words in code.text]
    return [code for code in there if code.text.strip() == words] or there


HOW = {code: how for key, how in EXCEPTIONS.items() for code in find_pieces(*key)}


def how_to_run(code: Code) -> How:
    return HOW.get(code, How())


def is_run_here(code: Code) -> bool:
    how = how_to_run(code)
    return not (how.test or how.why)


def name_of(code: Code) -> str:
    return f"{code.file}:{code.line}"


# --- The list -------------------------------------------------------------------------------------


def test_each_exception_is_one_piece_of_its_document() -> None:
    for file, words in EXCEPTIONS:
        found = find_pieces(file, words)
        assert len(found) == 1, (file, words, [name_of(each) for each in found])
    assert len(HOW) == len(EXCEPTIONS)


EXCUSED = [code for code in COMMANDS if how_to_run(code).test]


@pytest.mark.parametrize("code", EXCUSED, ids=name_of)
def test_the_test_that_an_excuse_names_has_the_commands_words(code: Code, app: Flask) -> None:
    source = read_source(*how_to_run(code).test.split("::"))
    words = {word for line in list_lines(code) for word in name_verbs(line, app.cli)}
    assert words
    missing = {each for each in words if not re.search(rf"(?<!\w){re.escape(each)}(?!\w)", source)}
    assert missing == set()


def list_lines(code: Code) -> list[str]:
    """Its commands; of a script in one sentence the first."""
    text = code.text.replace("\\\n", " ")
    first, *rest = text.splitlines()
    called = [line for line in rest if begins_with_program(line)]
    return [first] if "=$(/" in first else [first, *called]


def name_verbs(line: str, commands: click.Group) -> list[str]:
    """What is called, without what it is given: ["user", "create"], ["make", "run"], ["curl"]."""
    if CALL in line:
        words = split(line.partition(CALL)[2])
        named = commands.get_command(click.Context(commands), words[0])
        return words[: 1 + isinstance(named, click.Group)]
    if line.startswith("export "):
        return []
    program, *rest = re.sub(r"^(sudo -u \S+ |[A-Z_]+=\S* )+", "", line).split()
    if program.startswith("out=$("):
        return ["out=$("]
    if program in ("python", ".", "sh"):
        return [Path(rest[0]).name]
    return [Path(program).name, *rest[: program in WITH_SUBCOMMANDS]]


def test_most_are_run_here_and_no_document_is_overlooked() -> None:
    here = [code for code in COMMANDS if is_run_here(code)]
    assert len(here) >= 45
    assert {"README.md", "docs/quick-start.md", "docs/using-the-api.md"} <= {
        code.file for code in here
    }
    words = [code.text.strip() for code in here]
    assert "curl --fail http://127.0.0.1:8000/readyz" in words, "a command within a sentence"
    assert f"KEY=$({CALL} key create n8n)" in words, "an example of a command's help"


def test_each_module_that_a_document_calls_by_name_is_there() -> None:
    named = {
        (path.name, module)
        for path in documents()
        for module in re.findall(r"`(?:\.venv/bin/)?python -m ([\w.]+)", path.read_text("utf-8"))
        if path.name != HISTORY
    }
    assert len(named) >= 3
    assert {each for each in named if not find_spec(each[1])} == set()


def list_named() -> set[tuple[str, str]]:
    """Every command of the app's own that a document names, also within its text."""
    found = set()
    for path in documents():
        text = path.read_text("utf-8")
        for words in re.findall(rf"{re.escape(CALL)} ([a-z][^`|>\n]*)", text):
            found.add((path.name, words.partition("#")[0].strip().rstrip("\\")))
    return found


def test_every_command_that_is_named_anywhere_is_there_with_its_options(app: Flask) -> None:
    wrong = {each for each in list_named() if not is_there(app.cli, split(each[1]))}
    assert wrong == set()


def split(words: str) -> list[str]:
    try:
        return shlex.split(words)
    except ValueError:  # The end of a sentence, with an apostrophe in it.
        return words.split()


def is_there(command: click.Command, words: list[str]) -> bool:
    while isinstance(command, click.Group) and words and not words[0].startswith("-"):
        inner = command.get_command(click.Context(command), words[0])
        if inner is None:
            return False
        command, words = inner, words[1:]
    known = {name for each in command.params for name in each.opts} | {"--help"}
    options = {word.partition("=")[0] for word in words if word.startswith("--")}
    return options <= known


# --- Running them ---------------------------------------------------------------------------------


@pytest.mark.parametrize("code", list(filter(is_run_here, COMMANDS)), ids=name_of)
def test_it_works_as_it_stands(
    code: Code,
    folder: Path,
    live_server: LiveServer,
    team: LiveTeam,
    foreign: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("openssl", "sqlite3"):
        if f"{name} " in code.text:
            find(name)
    monkeypatch.chdir(folder)
    how = how_to_run(code)
    status, said = run(code, how, Place(folder, live_server, team, foreign))
    assert status == how.status, said
    assert "Traceback" not in said
    assert how.says in said
