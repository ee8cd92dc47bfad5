"""SECURITY.md promises only what a test shows."""

import re
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import select

from app.extensions import db
from app.models import User, UserSession
from app.workspaces.passwords import _HASHER as HASHER
from app.workspaces.sessions import start_session
from tests.factories import PASSWORD, make_team

ROOT = Path(__file__).parent.parent
NAMED = sorted(set(re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", (ROOT / "SECURITY.md").read_text())))


@pytest.mark.parametrize(("path", "name"), NAMED)
def test_each_test_that_a_promise_names_is_there(path: str, name: str) -> None:
    assert re.search(rf"^def {name}\(", (ROOT / path).read_text(), re.MULTILINE), f"{path}::{name}"


def test_every_promise_names_a_test() -> None:
    rows = re.findall(
        r"^\| (?!Promise|---)(.+) \| (.+) \|$", (ROOT / "SECURITY.md").read_text(), re.M
    )
    assert len(rows) > 20
    assert [promise for promise, shown in rows if "::" not in shown] == []


def test_no_password_and_no_session_is_kept_as_it_is(app: Flask) -> None:
    team = make_team()
    user = db.session.scalars(select(User).where(User.email == team.email)).one()
    token = start_session(user, "127.0.0.1", "").session_token
    assert user.password_hash.startswith("$argon2id$")
    assert HASHER.verify(user.password_hash, PASSWORD)
    (kept,) = db.session.execute(select(UserSession.__table__)).all()
    assert token and token not in str(kept) and PASSWORD not in user.password_hash
