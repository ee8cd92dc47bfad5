"""When a key that is rotated ends: chosen to the minute, and named before it is too late."""

from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest
from flask.testing import FlaskClient

from app.clock import now
from app.console.formatting import date as tell_date
from app.extensions import db
from app.models import ApiKey
from tests.console.pages import Page, open_page
from tests.console.test_key_page import address, rotate
from tests.factories import Team


@pytest.mark.parametrize("mark", ["T", " "])
def test_the_old_key_may_end_at_a_moment(owner: FlaskClient, team: Team, mark: str) -> None:
    """In the account's zone, or else in the browser's."""
    day = (now() + timedelta(days=3)).date()
    rotate(owner, team, keep="date", keep_on=f"{day}{mark}14:30", zone="Asia/Kolkata")
    old = db.session.get(ApiKey, team.api_key_id)
    assert old is not None and old.expires_at is not None
    assert old.expires_at.isoformat() == f"{day}T09:00:00+00:00"


def test_now_is_neither_first_nor_what_is_suggested(owner: FlaskClient, team: Team) -> None:
    page = open_page(owner, address(team.api_key_id))
    options = [tag for kind, tag in page.tags if kind == "option"]
    assert (options[0]["value"], options[-1]["value"]) == ("1 hour", "now")
    assert [each["value"] for each in options if "selected" in each] == ["24 hours"]


@pytest.mark.parametrize(
    ("keep", "said"),
    [
        ("date", "Its end: {day}, 14:30 IST · 09:00 UTC."),
        ("24 hours", "Its end: {tomorrow}, "),
        ("now", "Its end: now."),
    ],
)
def test_the_question_names_the_end_with_its_zone(
    owner: FlaskClient, team: Team, keep: str, said: str
) -> None:
    path, at = address(team.api_key_id), now() + timedelta(days=3)
    form = open_page(owner, path).form(f"{path}/rotate")
    chosen = {"keep": keep, "keep_on": f"{at.date()}T14:30", "zone": "Asia/Kolkata"}
    page = Page(owner.post(form.action, data={**form.fields, **chosen}).text)
    assert page.has_id("confirmation")
    tomorrow = (now() + timedelta(hours=24)).astimezone(ZoneInfo("Asia/Kolkata"))
    there = f"{tomorrow.day} {tomorrow:%b %Y}"  # Late in the day of UTC, a day further on.
    assert said.format(day=tell_date(at), tomorrow=there) in page.text
    assert ("IST" in page.text) == (keep != "now")
