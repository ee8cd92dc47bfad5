"""`doctor` on what messages need: the SMTP server, and the channels."""

from collections.abc import Callable, Iterator

import pytest
from flask import Flask

from app.channels.sealing import seal
from app.clock import now
from app.doctor.channel_health import check_channel_settings, check_channels, check_mail_server
from app.extensions import writing
from tests.channels.conftest import make_channel
from tests.channels.receivers import MailBox, only_with
from tests.factories import Team, make_team
from tests.ports import free_port

pytestmark = pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS")


@pytest.fixture
def team(app: Flask) -> Team:
    return make_team()


@pytest.fixture
def guarded_box() -> Iterator[MailBox]:
    """A server that wants to know who sends."""
    with MailBox(
        authenticator=only_with("flow", "a good password"),
        auth_required=True,
        auth_require_tls=False,
    ) as mail_box:
        yield mail_box


def test_no_mail_server_is_fine(app: Flask) -> None:
    assert check_mail_server().state == "ok"


def test_a_mail_server_that_is_away_fails(app: Flask) -> None:
    app.config.update(FLOWPULSE_SMTP_HOST="127.0.0.1", FLOWPULSE_SMTP_PORT=free_port())
    found = check_mail_server()
    assert found.state == "fail" and "refused" in found.message


@pytest.mark.parametrize(
    ("password", "state"), [("a good password", "ok"), ("a wrong password", "fail")]
)
def test_a_mail_server_is_asked_whether_it_lets_us_in(
    app: Flask, guarded_box: MailBox, password: str, state: str
) -> None:
    own = {"FLOWPULSE_SMTP_USER": "flow", "FLOWPULSE_SMTP_PASSWORD": password}
    app.config.update({**guarded_box.settings, **own})
    found = check_mail_server()
    assert found.state == state, found
    assert password not in found.message
    assert guarded_box.envelopes == []


def test_channels_that_fail_and_that_were_switched_off_are_named(team: Team) -> None:
    channel = make_channel(team, name="Ops chat", url="http://127.0.0.1:1")
    assert check_channels().state == "ok"
    for column in ("failing_since", "disabled_at"):
        with writing():
            setattr(channel, column, now())
        found = check_channels()
        assert found.state == "warn" and "Ops chat" in found.message and found.fix


def test_settings_of_another_secret_key_are_found(
    app: Flask, team: Team, change_secret: Callable[[], None]
) -> None:
    make_channel(team, name="Ops chat", url="http://127.0.0.1:1")
    assert check_channel_settings().state == "ok"
    change_secret()
    found = check_channel_settings()
    assert found.state == "fail" and "Ops chat" in found.message
    assert seal({}) != ""


@pytest.fixture
def change_secret(app: Flask) -> Callable[[], None]:
    return lambda: app.config.update(FLOWPULSE_KEY_SECRET=b"another one, quite long enough, too")
