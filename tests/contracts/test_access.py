"""Every route has its written answer for everybody who may come to it: access.txt."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from flask import Flask
from werkzeug.routing import Rule

from app.extensions import db
from tests import apps
from tests.contracts.actors import ACTORS, MARK, REPORTS, Actor, make_actors
from tests.databases import Databases

TABLE = Path(__file__).parent / "access.txt"
METHODS = {"GET", "POST", "PUT", "PATCH", "DELETE"}
REWRITE = bool(os.environ.get("ACCESS_REWRITE"))
NOTHING_TO_ASK = "-"
LAST = ("/archive", "/delete", "/remove", "/revoke", "/sign-out")
"""How addresses end whose forms take away what other lines ask for."""


class Line(NamedTuple):
    """A line of the table: what is asked, and the written answers."""

    number: int
    method: str
    path: str
    answers: dict[str, str]

    @property
    def names_something(self) -> bool:
        return "{" in self.path or self.path.startswith(REPORTS)

    @property
    def turn(self) -> tuple[int, str, int]:
        path = self.path.partition("?")[0]
        ending = next((place for place, end in enumerate(LAST, 1) if path.endswith(end)), 0)
        return ending, self.method, self.number


def read_table() -> Iterator[Line]:
    for number, text in enumerate(TABLE.read_text().splitlines()):
        if text and not text.startswith("#"):
            method, path, *answers = text.split()
            yield Line(number, method, path, dict(zip(ACTORS, answers, strict=True)))


@pytest.fixture
def app(databases: Databases, database_url: str, tmp_path: Path) -> Iterator[Flask]:
    unlimited = {
        "FLOWPULSE_RATE_LIMIT": 0,
        "FLOWPULSE_FAILED_SIGN_IN_LIMIT": 0,
        "FLOWPULSE_FAILED_KEY_LIMIT": 10_000,
        "FLOWPULSE_COMPATIBILITY": True,
    }
    app = apps.make_app(database_url, tmp_path, **unlimited)
    with app.app_context():
        yield app
        db.session.remove()
    apps.close_app(app)


def find_rule(app: Flask, line: Line) -> Rule:
    path = line.path.partition("?")[0].format_map(_SomeId())
    rule, _ = app.url_map.bind("").match(path, line.method, return_rule=True)
    return rule


_SOME_UUID = "5d1c8a3e-94b7-4f02-a6d9-3e7b1c5f8a20"


class _SomeId(dict[str, str]):
    def __missing__(self, name: str) -> str:
        some = {"uuid": _SOME_UUID, "pingkey": "a" * 22, "problem": "a" * 16}
        return some.get(name.removeprefix("own_"), "a" * 24)


@pytest.mark.once
def test_every_route_is_listed_and_no_line_is_left_over(app: Flask) -> None:
    """A line whose route is gone finds none, or one that another line is of."""
    wanted = {
        (rule.rule, method)
        for rule in app.url_map.iter_rules()
        for method in METHODS & (rule.methods or set())
    }
    listed = [(find_rule(app, line).rule, line.method) for line in read_table()]
    assert wanted - set(listed) == set(), "Write a line into tests/contracts/access.txt"
    assert len({(line.method, line.path) for line in read_table()}) == len(listed)


@pytest.mark.once
def test_what_has_no_id_asks_for_nothing_of_another_workspace() -> None:
    for line in read_table():
        assert line.names_something == (line.answers["foreign"] != NOTHING_TO_ASK), line.path
        assert NOTHING_TO_ASK not in [line.answers[name] for name in ACTORS if name != "foreign"]


@pytest.mark.once  # Who may do what is asked with the same statements on both databases.
@pytest.mark.timeout(600)  # Two thousand requests, on a busy machine.
def test_everybody_gets_the_written_answers(app: Flask) -> None:
    lines, actors = list(read_table()), make_actors(app)
    got = {name: _ask_all(actor, lines, name) for name, actor in actors.items()}
    if REWRITE:
        _rewrite(lines, got)
    assert MARK in actors["key"].ask("GET", "/api/v1/workflows")[1]
    _refuse_leaks(actors["foreign"], lines)
    wrong = [
        f"{line.method} {line.path} by {name}: {got[name][line.number]}, not {answer}"
        for line in lines
        for name, answer in line.answers.items()
        if answer != got[name][line.number]
    ]
    assert not wrong, "\n".join(wrong[:30])


def _ask_all(actor: Actor, lines: list[Line], name: str) -> dict[int, str]:
    """By line; in an order in which nothing is asked for that was taken away before."""
    found = {}
    for line in sorted(lines, key=lambda line: line.turn):
        is_asked = name != "foreign" or line.names_something
        found[line.number] = (
            str(actor.ask(line.method, line.path)[0]) if is_asked else NOTHING_TO_ASK
        )
    return found


def _refuse_leaks(foreign: Actor, lines: list[Line]) -> None:
    """No page, list or file tells the owner of another workspace anything; badges are for all who
    know their addresses."""
    asked = [line.path for line in lines if line.method == "GET" and "{badge}" not in line.path]
    assert [path for path in asked if MARK in foreign.ask("GET", path)[1]] == []


def _rewrite(lines: list[Line], got: dict[str, dict[int, str]]) -> None:
    texts = TABLE.read_text().splitlines()
    for line in lines:
        answers = (got[name][line.number].center(len(name)) for name in ACTORS)
        texts[line.number] = f"{line.method:<5}{line.path:<52}{' '.join(answers)}".rstrip()
    TABLE.write_text("\n".join(texts) + "\n")
