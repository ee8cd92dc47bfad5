"""The console: pages for people."""

from flask import Flask, Response
from flask_login import current_user
from flask_wtf.csrf import CSRFError

from app.console import (
    account,
    assets,
    badges,
    connect,
    event,
    health,
    insights,
    key_page,
    keys,
    live_log,
    mending,
    overview,
    problem_groups,
    reference,
    runs,
    settings,
    sign_in,
    stream,
    test_events,
    troubleshooting,
    try_it,
    workflow_extras,
    workflows,
)
from app.console.bars import bar_path
from app.console.event_summary import summarise
from app.console.examples import curl_command
from app.console.formatting import FILTERS
from app.console.guards import PublicIdConverter, guard, may, protect_forms
from app.console.headers import init_headers
from app.console.navigation import list_navigation
from app.console.problem_titles import message_of, title_of
from app.console.reader import init_reader, load_reader
from app.console.session_cookie import ConsoleSessions, configure_session_cookie
from app.console.signs import show_signs
from app.console.toasts import carry_toasts
from app.errors import answer_page
from app.extensions import login_manager
from app.htmx import is_for_htmx

GUARDED = (
    overview.blueprint,
    live_log.blueprint,
    event.blueprint,
    runs.blueprint,
    insights.blueprint,
    mending.blueprint,
    problem_groups.blueprint,
    workflows.blueprint,
    workflow_extras.blueprint,
    test_events.blueprint,
    keys.blueprint,
    connect.blueprint,
    try_it.blueprint,
    key_page.blueprint,
    account.blueprint,
    settings.blueprint,
)
OPEN = (
    assets.blueprint,
    health.blueprint,
    badges.blueprint,
    sign_in.blueprint,
    troubleshooting.blueprint,
    reference.blueprint,
)

for _blueprint in (*GUARDED, *OPEN):
    protect_forms(_blueprint)
    carry_toasts(_blueprint)
for _blueprint in GUARDED:
    guard(_blueprint)


def init_console(app: Flask) -> None:
    """Register the pages, with what all of them need."""
    configure_session_cookie(app)
    app.session_interface = ConsoleSessions()
    # All that `init_app` adds is a look at each answer for a remember-me cookie; we set none.
    app.login_manager = login_manager  # type: ignore[attr-defined]
    login_manager.user_loader(load_reader)
    app.url_map.converters["public_id"] = PublicIdConverter
    app.jinja_env.filters.update(FILTERS, summary=summarise, visible=show_signs, bar_path=bar_path)
    app.jinja_env.globals.update(current_user=current_user, may=may, curl_command=curl_command)
    app.jinja_env.filters.update(problem_title=title_of, problem_message=message_of)
    app.jinja_env.globals.update(is_for_htmx=is_for_htmx)
    init_reader(app)
    app.context_processor(list_navigation)
    app.register_error_handler(CSRFError, _answer_old_form)
    init_headers(app)
    assets.init_assets(app)
    stream.init_stream(app)
    for blueprint in (*GUARDED, *OPEN):
        app.register_blueprint(blueprint)


def _answer_old_form(error: CSRFError) -> Response:
    text = "Nothing was changed. Go back, reload the page, and send the form again."
    return answer_page(400, "This form is out of date", text)
