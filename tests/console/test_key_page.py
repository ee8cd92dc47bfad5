"""The page of an API key: its use, its senders, rotation, and the meter of the old key."""

import re
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select, update

from app.clock import now
from app.console.key_form import KEEPS
from app.console.key_meter import list_meter_senders
from app.console.key_usage import count_by_day
from app.extensions import db, writing
from app.models import ApiKey, KeyUsage
from app.workspaces.api_keys import create_api_key, revoke_api_key, rotate_api_key
from tests.console.pages import Page, open_page, send_form, submit
from tests.factories import Team, make_team, success

KEY = re.compile(r"fp_[0-9A-Za-z]{36}")
HOSTILE = "<script>alert(1)</script>\u202e"


def address(api_key_id: int) -> str:
    api_key = db.session.get(ApiKey, api_key_id)
    assert api_key is not None
    return f"/keys/{api_key.public_id}"


def report(app: Flask, team: Team, key: str, agent: str = "n8n", **fields: Any) -> int:
    headers = {"X-API-Key": key, "User-Agent": agent}
    body = success(team, **fields)
    answer = app.test_client().post("/api/v1/ingest/run-success", json=body, headers=headers)
    app.extensions["flowpulse_ingest"].usage.sync()
    return answer.status_code


def rotate(owner: FlaskClient, team: Team, **values: Any) -> str:
    path = address(team.api_key_id)
    answer = send_form(owner, path, f"{path}/rotate", **values)
    assert answer.status_code == 200, answer.text
    assert answer.headers["Cache-Control"] == "no-store"
    found = KEY.search(answer.text)
    assert found is not None
    return found[0]


def use_before(team: Team, ages: Iterable[timedelta], agent: str = "cron", addr: str = "") -> None:
    """As if the key had been used so long ago, before any rotation."""
    days: dict[date, list[datetime]] = {}
    for moment in sorted(now() - age for age in ages):
        days.setdefault(moment.date(), []).append(moment)
    with writing() as session:
        session.add_all(
            KeyUsage(
                api_key_id=team.api_key_id,
                day=day,
                remote_addr=addr or "192.0.2.1",
                user_agent=agent,
                count=len(moments),
                hours=sum({1 << moment.hour for moment in moments}),
                last_at=moments[-1],
            )
            for day, moments in days.items()
        )


def wait(monkeypatch: pytest.MonkeyPatch, length: timedelta) -> None:
    """As if so much time had passed, for whoever reads the meter."""
    monkeypatch.setattr("app.console.key_meter.now", lambda: now() + length)


HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def test_the_page_shows_who_uses_the_key_and_how_often(
    app: Flask, owner: FlaskClient, team: Team
) -> None:
    for agent in ("n8n", "n8n", HOSTILE):
        assert report(app, team, team.key, agent) == 202
    page = open_page(owner, address(team.api_key_id))
    assert "3 requests with this key in the last 30 days" in page.text
    assert "127.0.0.1 n8n 2" in page.text
    assert "<script>alert(1)</script>⟨U+202E⟩" in page.text
    labels = [values.get("aria-label") or "" for tag, values in page.tags if tag == "svg"]
    assert "3 uses in 30 days; at most 3 on a day" in labels
    listed = open_page(owner, "/keys")
    labels = [values.get("aria-label") or "" for tag, values in listed.tags if tag == "svg"]
    assert "3 uses in 14 days, 3 today" in labels


def test_its_refused_requests_are_there_and_those_of_others_are_not(
    app: Flask, owner: FlaskClient, team: Team
) -> None:
    _, other = create_api_key(team.workspace_id, "other")
    report(app, team, team.key, ended_at="15.01.2026 09:31")
    report(app, team, other, workflow_slug="nope")
    app.extensions["flowpulse_ingest"].recorder.close()
    page = open_page(owner, address(team.api_key_id))
    assert "Validation failed" in page.text
    assert "Workflow not found" not in page.text


def test_rotation_shows_the_new_key_once_and_both_work(
    app: Flask, owner: FlaskClient, team: Team
) -> None:
    new = rotate(owner, team)
    assert report(app, team, new) == report(app, team, team.key) == 202
    old = db.session.get(ApiKey, team.api_key_id)
    assert old is not None and old.name == "n8n-prod (old)" and old.expires_at is not None
    assert abs(old.expires_at - now() - timedelta(hours=24)) < timedelta(minutes=1)
    made = db.session.scalar(select(ApiKey).where(ApiKey.name == "n8n-prod"))
    assert made is not None and made.replaces_id == old.id
    assert made.created_by is not None and made.created_by.email == team.email
    assert not KEY.search(owner.get(address(made.id)).text)
    assert "It replaces n8n-prod (old)" in open_page(owner, address(made.id)).text


def test_the_question_before_a_rotation_names_the_key_as_it_will_be_called(
    owner: FlaskClient, team: Team
) -> None:
    for name in ("n8n-prod (old)", "n8n-prod (old 2)"):
        path = address(team.api_key_id)
        (text,) = (text for title, text, *_ in open_page(owner, path).questions if "Rot" in title)
        assert f"This key is called “{name}” from then on." in text
        rotate(owner, team)
        rows = db.session.execute(select(ApiKey.name, ApiKey.id))
        ids = {row.name: row.id for row in rows}
        assert ids[name] == team.api_key_id
        team = replace(team, api_key_id=ids["n8n-prod"])


def test_the_meter_counts_from_the_rotation_on(app: Flask, owner: FlaskClient, team: Team) -> None:
    for _ in range(3):
        report(app, team, team.key, "n8n")
    report(app, team, team.key, "cron")
    new = rotate(owner, team, keep="7 days")
    page = open_page(owner, address(team.api_key_id))
    assert "Too early to tell: 2 senders may only be pausing." in page.text
    assert "Not used since then." in page.text
    report(app, team, new, "n8n")
    for agent in ("cron", "cron", "curl/8"):
        report(app, team, team.key, agent)
    page = open_page(owner, address(team.api_key_id))
    assert "2 senders still use the old key." in page.text
    assert "Used 3 times since then" in page.text
    assert "127.0.0.1 cron 2" in page.text
    assert "2 senders still use the old key." in open_page(owner, "/keys").text


RHYTHMS = {
    "hourly": ([n * HOUR for n in range(48)], 2 * HOUR),
    "daily": ([n * DAY for n in range(8)], 25 * HOUR),
    "weekly": ([n * 7 * DAY for n in range(4)], 7 * DAY + HOUR),
    "monthly": ([5 * HOUR, 28 * DAY], 27 * DAY + 20 * HOUR),
    "seen on one day": ([HOUR, 3 * HOUR], None),
}
"""By user agent: how long ago it used the key, and how long it is known to pause."""


def test_how_long_a_sender_pauses_is_known_to_the_hour(team: Team) -> None:
    for agent, (ages, _) in RHYTHMS.items():
        use_before(team, ages, agent)
    found = {each.user_agent: each for each in list_meter_senders(team.api_key_id, now())}
    for agent, (ages, pause) in RHYTHMS.items():
        assert found[agent].pause == pause, agent
        safe_at = now() - min(ages) + (pause or 31 * DAY)
        assert abs(found[agent].safe_at - safe_at) < timedelta(minutes=1), agent


def test_an_old_key_is_safe_when_all_were_quiet_for_longer_than_they_pause(
    owner: FlaskClient, team: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    for agent in ("daily", "weekly"):
        use_before(team, RHYTHMS[agent][0], agent)
    rotate(owner, team, keep="30 days")
    for waited, verdict in (
        (2 * HOUR, "Too early to tell: 2 senders may only be pausing."),
        (7 * DAY, "Too early to tell: 1 sender may only be pausing."),
        (7 * DAY + 2 * HOUR, "Safe to revoke: each sender has been quiet for longer"),
    ):
        wait(monkeypatch, waited)
        page = open_page(owner, address(team.api_key_id))
        assert verdict in page.text, waited
        assert "just now 1 d 1 h" in page.text and "just now 7 d 1 h" in page.text


def test_one_quiet_hour_is_not_safe_and_one_use_starts_the_wait_anew(
    app: Flask, owner: FlaskClient, team: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_before(team, [n * DAY + HOUR for n in range(9)], "n8n", "127.0.0.1")
    rotate(owner, team, keep="7 days")
    wait(monkeypatch, 26 * HOUR)
    assert "Safe to revoke: each sender" in open_page(owner, address(team.api_key_id)).text
    report(app, team, team.key)
    for hours, verdict in ((1, "1 sender still uses the old key."), (24, "1 sender still uses")):
        wait(monkeypatch, hours * HOUR)
        page = open_page(owner, address(team.api_key_id))
        assert verdict in page.text and "If nobody uses it until" in page.text
        assert "Safe to revoke: in" in open_page(owner, "/keys").text
    wait(monkeypatch, 26 * HOUR)
    assert "Safe to revoke: each sender" in open_page(owner, "/keys").text


def test_a_key_that_ends_before_all_can_have_changed_says_so(
    owner: FlaskClient, team: Team
) -> None:
    use_before(team, [n * 7 * DAY for n in range(4)])
    path = address(team.api_key_id)
    assert "Its senders have paused for up to 7 d 1 h" in open_page(owner, path).text
    options = [tag for kind, tag in open_page(owner, path).tags if kind == "option"]
    assert [each["value"] for each in options if "selected" in each] == ["30 days"]
    rotate(owner, team, keep="24 hours")
    text = open_page(owner, path).text
    assert "Some of its senders run so seldom" in text
    assert "Whoever still has the old key when it ends is refused." in text


def test_a_sender_behind_changing_addresses_is_known_by_its_user_agent(team: Team) -> None:
    for number in range(5):
        use_before(team, [number * DAY], "Make/production", f"192.0.2.{number}")
    senders = list_meter_senders(team.api_key_id, now())
    assert {each.pause for each in senders} == {25 * HOUR}


def test_senders_beyond_those_that_are_looked_at_are_never_called_safe_early(
    team: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_before(team, RHYTHMS["weekly"][0], "weekly")
    use_before(team, RHYTHMS["hourly"][0], "hourly")
    monkeypatch.setattr("app.console.key_meter.MOST_ROWS", 3)
    senders = list_meter_senders(team.api_key_id, now())
    others = next(each for each in senders if each.remote_addr == "(others)")
    assert others.safe_at - now() > 27 * DAY


def test_a_key_that_nobody_used_is_safe_at_once(owner: FlaskClient, team: Team) -> None:
    rotate(owner, team)
    text = open_page(owner, address(team.api_key_id)).text
    assert "Safe to revoke: nobody has used the old key in the last 35 days." in text


def test_who_uses_the_new_key_too_is_told(app: Flask, owner: FlaskClient, team: Team) -> None:
    report(app, team, team.key, "n8n")
    report(app, team, rotate(owner, team), "n8n")
    assert "n8n uses the new key too" in open_page(owner, address(team.api_key_id)).text


def test_what_was_counted_late_is_no_use_of_the_old_key(
    app: Flask, owner: FlaskClient, team: Team
) -> None:
    report(app, team, team.key)
    rotate(owner, team)
    with writing() as session:
        session.execute(update(KeyUsage).values(count=KeyUsage.count + 5))
    assert "Not used since then." in open_page(owner, address(team.api_key_id)).text


@pytest.mark.parametrize("choice", KEEPS)
def test_the_old_key_works_as_long_as_was_chosen(
    app: Flask, owner: FlaskClient, team: Team, choice: str
) -> None:
    rotate(owner, team, keep=choice)
    length = KEEPS[choice]
    old = db.session.get(ApiKey, team.api_key_id)
    assert old is not None and old.expires_at is not None and length is not None
    assert abs(old.expires_at - now() - length) < timedelta(minutes=1)
    assert report(app, team, team.key) == (202 if length else 401)
    assert ("Expired" in open_page(owner, address(team.api_key_id)).text) is not bool(length)


def test_the_old_key_may_end_on_a_day(owner: FlaskClient, team: Team) -> None:
    day = (now() + timedelta(days=3)).date()
    rotate(owner, team, keep="date", keep_on=day.isoformat())
    old = db.session.get(ApiKey, team.api_key_id)
    assert old is not None and old.expires_at is not None
    assert old.expires_at.isoformat() == f"{day}T23:59:59+00:00"


def test_a_slip_in_rotation_is_told_at_its_field_and_changes_nothing(
    owner: FlaskClient, team: Team
) -> None:
    path = address(team.api_key_id)
    for values, field, message in (
        ({"keep": "for ever"}, "keep", "Choose one of 1 hour"),
        ({"keep": "date", "keep_on": "soon"}, "keep_on", "Enter a date and time"),
        ({"keep": "date", "keep_on": "2020-01-01"}, "keep_on", "lies ahead"),
    ):
        answer = send_form(owner, path, f"{path}/rotate", **values)
        assert answer.status_code == 422
        assert message in Page(answer.text).text
        assert Page(answer.text).has_id(f"field-{field}-error")
    assert ApiKey.query.count() == 1


def test_a_revoked_keys_page_says_who_revoked_it_and_when(owner: FlaskClient, team: Team) -> None:
    path = address(team.api_key_id)
    send_form(owner, path, f"{path}/revoke")
    text = open_page(owner, path).text
    assert f"Revoked just now by {team.email} That was on" in text
    assert "Make a new key" in text
    api_key, _ = create_api_key(team.workspace_id, "other")
    revoke_api_key(api_key)
    text = open_page(owner, address(api_key.id)).text
    assert "from the command line or by somebody who is gone" in text


def test_a_key_that_was_rotated_is_not_rotated_again(owner: FlaskClient, team: Team) -> None:
    path = address(team.api_key_id)
    form = open_page(owner, path).form(f"{path}/rotate")
    rotate(owner, team)
    answer = submit(owner, form, keep="now")
    assert answer.status_code == 422 and "rotated already" in answer.text
    assert f"{path}/rotate" not in [each.action for each in open_page(owner, path).forms]


def test_a_viewer_sees_the_use_and_no_key_material(
    app: Flask, colleague: Callable[[str], FlaskClient], owner: FlaskClient, team: Team
) -> None:
    new = rotate(owner, team)
    report(app, team, team.key)
    viewer = colleague("viewer")
    for path in ("/keys", address(team.api_key_id)):
        page = open_page(viewer, path)
        assert "1 sender still uses the old key." in page.text
        assert [form.action for form in page.forms if form.action] == ["/sign-out"]
        assert team.key[:11] not in page.text and new[:11] not in page.text
    token = open_page(viewer, "/keys").form("/sign-out").fields
    answer = viewer.post(f"{address(team.api_key_id)}/rotate", data=token)
    assert answer.status_code == 403


def test_a_member_may_rotate_and_another_workspace_may_not(
    owner: FlaskClient, colleague: Callable[[str], FlaskClient], team: Team
) -> None:
    other = make_team("Elsewhere", first=False)
    token = open_page(owner, "/keys").form("/sign-out").fields
    assert owner.get(address(other.api_key_id)).status_code == 404
    assert owner.post(f"{address(other.api_key_id)}/rotate", data=token).status_code == 404
    rotate(colleague("member"), team)


def test_days_without_use_count_nothing(app: Flask, team: Team) -> None:
    report(app, team, team.key)
    days = count_by_day([team.api_key_id, 999], 14)
    assert [day.uses for day in days[team.api_key_id]] == [0] * 13 + [1]
    assert [day.uses for day in days[999]] == [0] * 14


def test_a_chain_of_rotations_keeps_each_meter_apart(
    app: Flask, owner: FlaskClient, team: Team
) -> None:
    first = db.session.get(ApiKey, team.api_key_id)
    assert first is not None
    second, key = rotate_api_key(first, now() + timedelta(days=1))
    second_id = second.id
    report(app, team, key)
    rotate_api_key(second, now() + timedelta(days=1))
    report(app, team, team.key)
    assert "1 sender still uses" in open_page(owner, address(team.api_key_id)).text
    page = open_page(owner, address(second_id))
    assert "Too early to tell: 1 sender may only be pausing." in page.text
    assert "1 sender still uses" in page.text  # Of the first, which the second replaced.
