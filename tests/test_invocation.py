"""A command that the app or a document shows works as it stands, in FlowPulse's folder."""

import re
from pathlib import Path

import pytest

from app import invocation
from app.problems import PROBLEMS
from tests.test_documents import DOCUMENTS

ROOT = Path(__file__).parent.parent
BARE = re.compile(r"(?<!\.venv/bin/)(?<!-f \")(?<!python -m )(?<!\w)flask --app wsgi")
"""`pkill -f "flask --app wsgi worker"` names a process, and calls nothing; in a container it is
`python -m flask`."""
TO_FOLLOW = [path for path in DOCUMENTS if path.name != "CHANGELOG.md"]
"""What tells of the past may name a command in short."""


def test_it_is_called_where_make_put_the_environment_and_else_from_the_path(
    tmp_path: Path,
) -> None:
    assert invocation._find_call(tmp_path) == "flask --app wsgi"
    program = tmp_path / ".venv/bin/flask"
    program.parent.mkdir(parents=True)
    program.touch()
    assert invocation._find_call(tmp_path) == ".venv/bin/flask --app wsgi"
    assert invocation.shell_command("doctor") == f"{invocation.CALL} doctor"


def test_with_systemds_wrapper_of_this_very_copy_it_is_called_by_that(tmp_path: Path) -> None:
    wrapper, folder = tmp_path / "flowpulse", tmp_path / "opt"
    assert not invocation._is_by_systemd(folder, wrapper)
    for first, is_of_it in (
        (f"#!{folder}/.venv/bin/python -I\nimport x", True),
        ("#!/opt/other/.venv/bin/python -I\n", False),
        ("#!/bin/sh\n", False),
        ("", False),
    ):
        wrapper.write_text(first)
        assert invocation._is_by_systemd(folder, wrapper) == is_of_it
    assert invocation._find_call(folder, is_by_systemd=True) == "flowpulse"


def test_texts_go_from_the_documents_form_to_that_of_an_image_and_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(invocation, "CALL", "flask --app wsgi")
    written = "Do what `.venv/bin/flask --app wsgi doctor` says."
    shown = invocation.as_installed(written)
    assert shown == "Do what `flask --app wsgi doctor` says."
    assert invocation.as_documented(shown) == invocation.as_documented(written) == written


@pytest.mark.parametrize("path", TO_FOLLOW, ids=lambda path: path.name)
def test_documents_write_all_commands_in_one_form(path: Path) -> None:
    assert not BARE.findall(path.read_text())


@pytest.mark.parametrize("folder", ["app", "templates"])
def test_the_app_itself_never_writes_one_out(folder: str) -> None:
    """Its texts ask `shell_command`; help and the troubleshooting table are rewritten."""
    written = [
        str(path.relative_to(ROOT))
        for path in sorted((ROOT / folder).rglob("*"))
        if path.suffix in {".py", ".html", ".toml"} and BARE.search(path.read_text())
    ]
    assert written == []


def test_the_troubleshooting_table_shows_them_as_they_work_here() -> None:
    assert invocation.shell_command("doctor") in PROBLEMS["unavailable"].fix
