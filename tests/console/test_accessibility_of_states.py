"""axe finds nothing on what is no page of its own: errors, questions, dialogs, failed forms."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest
from playwright.sync_api import Browser, Page, expect
from sqlalchemy import delete, select, update

from app.extensions import db, writing
from app.models import ApiKey, Membership, User, UserSession, Workflow
from tests.apps import close_app, make_app
from tests.axe import ALL, violations
from tests.console.refusals import store_refusals
from tests.console.test_accessibility import NARROW, look
from tests.console.test_two_factor import switch_on
from tests.factories import PASSWORD, Team
from tests.layout import cut_off
from tests.server import LiveServer
from tests.sessions import enter
from tests.teams import LiveTeam, find_workspace, make_live_colleague, make_live_team

REFUSED = 201
"""More than run again in one step."""
SCRIPT = "**/static/app.js*"
SUBMIT = "(form) => form.submit()"
"""As a browser without a script sends it: nobody has asked first."""


@dataclass(frozen=True, slots=True)
class Visit:
    """A browser that is signed in on a live server."""

    page: Page
    server: LiveServer
    team: LiveTeam
    fingerprint: str

    def open(self, path: str) -> None:
        self.page.goto(self.server.url + path)

    def submit(self, action: str) -> None:
        """Send the form whose address ends so, past all scripts."""
        with self.page.expect_navigation():
            self.page.locator(f"form[action$='{action}']").first.evaluate(SUBMIT)

    def spoil(self, action: str) -> None:
        """Send the form out of date: its token is another session's."""
        token = self.page.locator(f"form[action$='{action}'] [name=csrf_token]")
        token.evaluate("(field) => { field.value = 'x' }")
        self.submit(action)


def not_found(visit: Visit) -> None:
    visit.open(f"/events/{'a' * 24}")
    expect(visit.page.get_by_role("main")).to_contain_text("There is no such event")


def not_for_viewers(visit: Visit) -> None:
    enter(visit.page.context, visit.server, make_live_colleague(visit.server, visit.team, "viewer"))
    visit.open("/alerts/rules/new")
    expect(visit.page.get_by_role("main")).to_contain_text("Your role in this workspace is viewer")
    enter(visit.page.context, visit.server, visit.team.email)


def of_no_workspace(visit: Visit) -> None:
    email = make_live_colleague(visit.server, visit.team, "member")
    app = make_app(visit.server.database_url, visit.server.data_dir)
    with app.app_context(), writing() as session:
        person = select(User.id).where(User.email == email).scalar_subquery()
        session.execute(delete(Membership).where(Membership.user_id == person))
    close_app(app)
    enter(visit.page.context, visit.server, email)
    visit.open("/")
    expect(visit.page.locator("body")).to_contain_text("workspace")
    enter(visit.page.context, visit.server, visit.team.email)


def unreadable_filter(visit: Visit) -> None:
    visit.open("/events?state=x&code=x&since=yesterday&before=x")
    expect(visit.page.get_by_role("main")).to_contain_text("Choose one of")


def question_without_a_script(visit: Visit) -> None:
    visit.open("/keys")
    visit.submit("/revoke")
    expect(visit.page.get_by_role("heading", level=1)).to_have_text("Revoke n8n-prod?")


def created_key(visit: Visit) -> None:
    visit.open("/keys")
    visit.page.get_by_label("Name").fill("made by a test")
    visit.page.get_by_role("button", name="Create key").click()
    expect(visit.page.get_by_role("main")).to_contain_text("Copy the key now")


def form_with_errors(visit: Visit) -> None:
    visit.open("/keys")
    visit.page.get_by_label("Name").fill("n8n-prod")
    for box in visit.page.locator("[name=scope]").all():
        box.uncheck()
    visit.page.get_by_role("button", name="Create key").click()
    expect(visit.page.locator("#scopes-error")).to_be_visible()


def kept_form(visit: Visit) -> None:
    visit.open("/keys")
    visit.page.get_by_label("Name").fill("typed in vain")
    visit.spoil("/keys")
    expect(visit.page.locator("[value='typed in vain']").first).to_be_attached()


def kept_form_of_who_is_signed_out(visit: Visit) -> None:
    visit.open("/keys")
    visit.page.get_by_label("Name").fill("typed in vain")
    visit.page.context.clear_cookies()
    visit.submit("/keys")
    expect(visit.page.get_by_role("heading", level=1)).to_have_text("Sign in")
    enter(visit.page.context, visit.server, visit.team.email)


def help_dialog(visit: Visit) -> None:
    visit.open("/events")
    visit.page.keyboard.press("?")
    expect(visit.page.get_by_role("dialog")).to_be_visible()


def question_in_a_dialog(visit: Visit) -> None:
    visit.open("/keys")
    visit.page.get_by_role("button", name="Revoke n8n-prod").click()
    expect(visit.page.get_by_role("dialog")).to_contain_text("Revoke n8n-prod?")


def menu_of_the_account(visit: Visit) -> None:
    visit.open("/")
    visit.page.locator("details.menu > summary").click()
    expect(visit.page.get_by_role("button", name="Sign out")).to_be_visible()


def group_between_two_steps(visit: Visit) -> None:
    visit.page.route(SCRIPT, lambda route: route.abort())
    visit.open(f"/problems/{visit.fingerprint}")
    visit.page.locator("form[action*='/reprocess'] [name=asked]").evaluate_all(
        "(fields) => fields.forEach((field) => field.remove())"
    )
    visit.submit("/reprocess")
    expect(visit.page.get_by_role("main")).to_contain_text("Go on with the other 1")
    visit.page.unroute(SCRIPT)


def answer_in_a_toast(visit: Visit) -> None:
    visit.open("/account")
    visit.page.get_by_role("button", name="Save time zone").click()
    expect(visit.page.locator("#toasts .message")).to_be_visible()


def password_asked_again(visit: Visit) -> None:
    enter(visit.page.context, visit.server, visit.team.email)
    let_time_pass(visit)
    visit.open("/keys")
    visit.page.get_by_label("Name").fill("goes on")
    visit.page.get_by_role("button", name="Create key").click()
    field = visit.page.get_by_label(f"Password of {visit.team.email}")
    field.fill("not this one")
    field.press("Enter")
    expect(visit.page.get_by_text("This is not your password.")).to_be_visible()
    field.fill(PASSWORD)
    field.press("Enter")
    expect(visit.page.get_by_role("main")).to_contain_text("Copy the key now")
    let_time_pass(visit)
    visit.open("/account/two-factor")
    expect(visit.page.get_by_role("heading", level=1)).to_have_text("Your password again")


def let_time_pass(visit: Visit) -> None:
    """The password was given so long ago that it is asked for again."""
    app = make_app(visit.server.database_url, visit.server.data_dir)
    with app.app_context(), writing() as session:
        own = select(User.id).where(User.email == visit.team.email).scalar_subquery()
        gone = update(UserSession).where(UserSession.user_id == own)
        session.execute(gone.values(password_at=None))
    close_app(app)


def recovery_codes(visit: Visit) -> None:
    app = make_app(visit.server.database_url, visit.server.data_dir)
    email = make_live_colleague(visit.server, visit.team, "admin")
    with app.app_context():
        switch_on(email)
    close_app(app)
    enter(visit.page.context, visit.server, email)
    visit.open("/account")
    visit.submit("/two-factor/codes")
    visit.page.get_by_role("button", name="Make new codes").click()
    expect(visit.page.get_by_role("main")).to_contain_text("Write the recovery codes down now")


def second_step(visit: Visit) -> None:
    """Of the colleague before, with a recovery code that is none."""
    visit.page.context.clear_cookies()
    visit.open("/sign-in")
    visit.page.get_by_label("E-mail").fill(f"admin-{visit.team.email}")
    visit.page.get_by_label("Password").fill(PASSWORD)
    visit.page.get_by_role("button", name="Sign in").click()
    visit.page.get_by_text("The device is not at hand").click()
    visit.page.get_by_label("Recovery code").fill("none")
    visit.page.get_by_role("button", name="Sign in").click()
    expect(visit.page.get_by_text("This is none of your recovery codes")).to_be_visible()


STATES: tuple[Callable[[Visit], None], ...] = (
    not_found,
    not_for_viewers,
    of_no_workspace,
    unreadable_filter,
    question_without_a_script,
    created_key,
    form_with_errors,
    kept_form,
    kept_form_of_who_is_signed_out,
    help_dialog,
    question_in_a_dialog,
    menu_of_the_account,
    group_between_two_steps,
    answer_in_a_toast,
    password_asked_again,
    recovery_codes,
    second_step,
)


@pytest.fixture(scope="module")
def visit(live_server: LiveServer, live_team: LiveTeam, browser: Browser) -> Iterator[Visit]:
    team, fingerprint = make_live_team(live_server), "5" * 16
    app = make_app(live_server.database_url, live_server.data_dir)
    with app.app_context():
        store_refusals(as_team(team), REFUSED, fingerprint, body=b"{", code="workflow_not_found")
        db.session.remove()
    close_app(app)
    context = browser.new_context(reduced_motion="reduce")
    enter(context, live_server, team.email)
    yield Visit(context.new_page(), live_server, team, fingerprint)
    context.close()


def as_team(team: LiveTeam) -> Team:
    """With its primary keys, as tests with an app of their own know it."""
    workflow = db.session.scalars(select(Workflow).filter_by(public_id=team.workflow_id)).one()
    own = select(ApiKey.id).where(ApiKey.workspace_id == workflow.workspace_id)
    names = (team.workflow_id, team.slug, team.name, db.session.scalars(own).one(), team.key)
    return Team(find_workspace(team).id, team.email, workflow.id, *names)


@pytest.mark.once
@pytest.mark.parametrize("reach", STATES, ids=lambda reach: reach.__name__)
def test_every_state_is_for_everybody(visit: Visit, reach: Callable[[Visit], None]) -> None:
    page = visit.page
    page.set_viewport_size({"width": 1280, "height": 900})
    reach(visit)
    assert look(page, None, {"light": ALL, "dark": ALL}) == []
    page.set_viewport_size({"width": 390, "height": 844})
    assert violations(page, NARROW) + cut_off(page) == []
