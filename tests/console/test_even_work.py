"""A refused sign-in is as much work for the database whether somebody has the address or not."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import event

from app.extensions import db, writing
from app.models import User
from app.workspaces import audit
from app.workspaces.passwords import hash_password
from tests.console.pages import open_page, submit
from tests.factories import PASSWORD, Team


@pytest.fixture
def work(client: FlaskClient, team: Team) -> Callable[[str], list[str]]:
    """What a wrong password at this address has the database do: verbs and tables."""
    form = open_page(client, "/sign-in").form("/sign-in")

    def look(email: str) -> list[str]:
        seen: list[str] = []

        def note(_: Any, __: Any, statement: str, *___: Any) -> None:
            words = re.search(r"(INSERT INTO|UPDATE|FROM) (\w+)", statement)
            seen.append(" ".join([statement.split()[0], words[2] if words else ""]))

        event.listen(db.engine, "before_cursor_execute", note)
        try:
            answer = submit(client, form, email=email, password=f"not {PASSWORD}")
        finally:
            event.remove(db.engine, "before_cursor_execute", note)
        assert answer.status_code == 422
        return seen

    return look


def test_known_and_unknown_cause_the_same_statements(
    work: Callable[[str], list[str]], team: Team
) -> None:
    with writing() as session:
        session.add(User(email="nowhere@example.org", password_hash=hash_password(PASSWORD, ())))
    known = work(team.email)
    assert "INSERT audit_entries" in known
    assert work("nobody@example.org") == work("no address") == known
    assert work("nowhere@example.org") == known


def test_also_where_a_log_is_full(
    work: Callable[[str], list[str]], team: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One row is written then as well: a commit that writes nothing is quicker."""
    action = audit.ACTIONS["sign_in_refused"]
    monkeypatch.setitem(audit.ACTIONS, "sign_in_refused", action._replace(most_an_hour=1))
    not_full = [work(team.email), work("nobody@example.org")]
    full = [work(team.email), work("nobody@example.org")]
    assert not_full[0] == not_full[1] and full[0] == full[1]
    assert len(full[0]) == len(not_full[0])
    assert "INSERT audit_entries" in not_full[0] and "INSERT audit_entries" not in full[0]
    assert full[0].count("INSERT rate_buckets") == not_full[0].count("INSERT rate_buckets") + 1
