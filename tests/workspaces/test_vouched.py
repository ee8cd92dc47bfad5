"""People for whom a provider vouches, who come twice at the same moment."""

from collections.abc import Callable

import pytest
from flask import Flask
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from app.extensions import db
from app.models import Identity, Membership, User, Workspace
from app.problems import ProblemError
from app.workspaces import vouched
from app.workspaces.vouched import Vouched, let_in
from tests.factories import make_team

WHO = Vouched("Bo@Example.org", "Team ID", "Bo", "https://id.example.org", "7")


@pytest.fixture
def open_app(app: Flask) -> Flask:
    workspace = db.session.get_one(Workspace, make_team().workspace_id)
    app.config.update(
        FLOWPULSE_SIGN_UP_DOMAINS=("example.org",),
        FLOWPULSE_SIGN_UP_WORKSPACE=workspace.public_id,
    )
    return app


@pytest.mark.parametrize("blank", [" ", "\N{NO-BREAK SPACE}", "\u2003", "\x1f"])
def test_an_address_with_blanks_is_nobody_s(open_app: Flask, blank: str) -> None:
    for email in (f"bo@example.org{blank}", f"{blank}bo@example.org"):
        with pytest.raises(ProblemError) as refused:
            let_in(WHO._replace(email=email))
        assert refused.value.code == vouched.UNKNOWN


def test_who_comes_twice_at_once_gets_one_account(
    open_app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither finds the other; the second waits for the first, or is refused by the database."""
    first = let_in(WHO).id
    found = vouched._find
    answers: list[Callable[[Vouched], User | None]] = [lambda _: None, found]
    monkeypatch.setattr(vouched, "_find", lambda who: answers.pop(0)(who))
    assert let_in(WHO).id == first
    answers[:] = [lambda _: None, found]

    def collide(who: Vouched) -> User:
        raise IntegrityError("", {}, Exception("twice"))

    monkeypatch.setattr(vouched, "_bring_in", collide)
    assert let_in(WHO).id == first
    assert list(db.session.scalars(select(Identity.subject))) == ["7"]
    answers[:] = [lambda _: None, lambda _: None]  # Two of the provider have the address.
    with pytest.raises(ProblemError) as refused:
        let_in(WHO)
    assert refused.value.code == vouched.OTHERS
    own = select(Membership).where(Membership.user_id == first)
    assert len(db.session.scalars(own).all()) == 1
