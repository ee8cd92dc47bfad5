"""The console: pages for people."""

from flask import Flask, request
from flask.typing import ResponseReturnValue
from flask_login import current_user
from flask_wtf.csrf import CSRFError

from app.console import (
    account,
    addresses,
    alert_rules,
    alerts,
    assets,
    audit,
    badges,
    channel,
    channels,
    connect,
    delivery,
    doc_pages,
    doctor,
    event,
    exports,
    health,
    importing,
    insights,
    joining,
    key_page,
    keys,
    live_log,
    lost_password,
    mails,
    maintenance,
    markdown,
    mending,
    metrics,
    oidc,
    overview,
    problem_groups,
    reference,
    revealing,
    rule_form,
    runner,
    runs,
    schedules,
    second_step,
    settings,
    sign_in,
    stream,
    test_events,
    troubleshooting,
    try_it,
    two_factor,
    workflow_extras,
    workflow_labels,
    workflows,
    workspace_export,
)
from app.console.bars import bar_path
from app.console.delivery_problems import find_problem
from app.console.disk_notice import find_disk_notice
from app.console.downloads import init_downloads
from app.console.entering import why_signed_out
from app.console.event_summary import filter_by_outcome, summarise
from app.console.examples import curl_command
from app.console.formatting import FILTERS
from app.console.guards import READING, PublicIdConverter, guard, may, protect_forms
from app.console.headers import init_headers
from app.console.hidden import holds_secrets, visible, without_url_secrets
from app.console.kept_forms import keep_form, show_kept
from app.console.navigation import list_navigation
from app.console.origins import init_origins
from app.console.problem_titles import message_of, title_of, workflow_of
from app.console.proxied import enter_if_named, who_left
from app.console.reader import init_reader, load_reader
from app.console.replica import init_replica
from app.console.session_cookie import ConsoleSessions, configure_session_cookie
from app.console.toasts import carry_toasts
from app.errors import answer_page
from app.extensions import login_manager
from app.htmx import is_for_htmx, is_going_on
from app.invocation import shell_command
from app.links import start_page, this_address
from app.processing.web_beat import note_served
from app.timetable import span_in_words
from app.ways_in import provider_name, takes_passwords

GUARDED = (
    overview.blueprint,
    live_log.blueprint,
    event.blueprint,
    revealing.blueprint,
    runs.blueprint,
    insights.blueprint,
    mending.blueprint,
    problem_groups.blueprint,
    workflows.blueprint,
    schedules.blueprint,
    workflow_extras.blueprint,
    addresses.blueprint,
    test_events.blueprint,
    keys.blueprint,
    connect.blueprint,
    try_it.blueprint,
    key_page.blueprint,
    channels.blueprint,
    mails.blueprint,
    channel.blueprint,
    delivery.blueprint,
    account.blueprint,
    two_factor.blueprint,
    settings.blueprint,
    audit.blueprint,
    doctor.blueprint,
    exports.blueprint,
    importing.blueprint,
    workspace_export.blueprint,
    alerts.blueprint,
    alert_rules.blueprint,
    rule_form.blueprint,
    maintenance.blueprint,
    workflow_labels.blueprint,
)
OPEN = (
    assets.blueprint,
    health.blueprint,
    metrics.blueprint,
    badges.blueprint,
    sign_in.blueprint,
    second_step.blueprint,
    joining.blueprint,
    oidc.blueprint,
    lost_password.blueprint,
    troubleshooting.blueprint,
    reference.blueprint,
    markdown.blueprint,
    doc_pages.blueprint,
    runner.blueprint,
)

for _blueprint in (*GUARDED, *OPEN):
    protect_forms(_blueprint)
    carry_toasts(_blueprint)
    _blueprint.before_request(note_served)


def _enter_named() -> ResponseReturnValue | None:
    """A form's token was good for whoever this browser had signed in before, who may be somebody
    else: nothing is done by it for who has just come."""
    has_entered = enter_if_named()
    return _answer_old_form() if has_entered and request.method not in READING else None


for _blueprint in GUARDED:
    _blueprint.before_request(_enter_named)
    guard(_blueprint)


def init_console(app: Flask) -> None:
    """Register the pages, with what all of them need."""
    configure_session_cookie(app)
    app.session_interface = ConsoleSessions()
    # All that `init_app` adds is a look at each answer for a remember-me cookie; we set none.
    app.login_manager = login_manager  # type: ignore[attr-defined]
    login_manager.user_loader(load_reader)
    app.url_map.converters["public_id"] = PublicIdConverter
    app.jinja_env.filters.update(FILTERS, summary=summarise, visible=visible, bar_path=bar_path)
    app.jinja_env.filters.update(mask_url_secrets=without_url_secrets)
    app.jinja_env.tests.update(holding_secrets=holds_secrets)
    app.jinja_env.filters.update(span=span_in_words, outcome_to_filter_by=filter_by_outcome)
    app.jinja_env.globals.update(current_user=current_user, may=may, curl_command=curl_command)
    app.jinja_env.globals.update(why_signed_out=why_signed_out, who_left=who_left)
    app.jinja_env.globals.update(provider_name=provider_name, takes_passwords=takes_passwords)
    app.jinja_env.globals.update(start_page=start_page, this_address=this_address)
    app.jinja_env.filters.update(problem_title=title_of, problem_message=message_of)
    app.jinja_env.filters.update(named_workflow=workflow_of, delivery_problem=find_problem)
    app.jinja_env.globals.update(is_for_htmx=is_for_htmx, is_going_on=is_going_on)
    app.jinja_env.globals.update(find_disk_notice=find_disk_notice, shell_command=shell_command)
    init_reader(app)
    app.context_processor(list_navigation)
    app.register_error_handler(CSRFError, _answer_old_form)
    init_headers(app)
    init_origins(app)
    assets.init_assets(app)
    stream.init_stream(app)
    for blueprint in (*GUARDED, *OPEN):
        app.register_blueprint(blueprint)
    init_replica(app)
    init_downloads(app)
    health.init_health(app)
    metrics.init_metrics(app)


def _answer_old_form(_error: CSRFError | None = None) -> ResponseReturnValue:
    enter_if_named()  # What was typed is shown to them, and not sent on by itself.
    kept = keep_form()
    if kept:
        return show_kept(kept, 400)
    text = "Nothing was changed. Go back, reload the page, and send the form again."
    return answer_page(400, "This form is out of date", text)
