"""Every page of the console, with what its address needs: what is listed here is tested with
hostile content, for accessibility, in light and dark."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from string import Formatter

from flask import Flask

PAGES: dict[str, tuple[str, ...]] = {
    "account.show_account": ("/account",),
    "alert_rules.show_rules": ("/alerts/rules",),
    "alerts.show_alert": ("/alerts/{alert}",),
    "alerts.show_alerts": ("/alerts", "/alerts?view=all"),
    "audit.show_log": ("/settings/audit", "/settings/audit?kind=keys"),
    "channel.show_channel": ("/alerts/channels/{channel}",),
    "channel.show_new": ("/alerts/channels/new/webhook", "/alerts/channels/new/email"),
    "channels.show_channels": ("/alerts/channels",),
    "connect.show_connect": ("/connect", "/connect?tool=n8n&workflow={workflow}"),
    "delivery.show_delivery": ("/alerts/deliveries/{delivery}",),
    "doc_pages.show_guides": ("/docs/guides",),
    "doc_pages.show_index": ("/docs/integrations",),
    "doc_pages.show_page": ("/docs/n8n", "/docs/reliable-sending", "/docs/quick-start"),
    "docs.show_reference": ("/docs",),
    "doctor.show_doctor": ("/settings/doctor",),
    "event.show_event": ("/events/{event}",),
    "importing.show_form": ("/workflows/import",),
    "insights.show_insights": ("/insights", "/insights?range=90d"),
    "key_page.show_key": ("/keys/{key}",),
    "keys.show_keys": ("/keys",),
    "live_log.show_events": ("/events", "/events?state=rejected", "/events?event={event}"),
    "mails.show_mails": ("/alerts/mails",),
    "maintenance.show_windows": ("/alerts/maintenance",),
    "mending.show_resend": ("/events/{event}/resend",),
    "overview.show_overview": ("/",),
    "problem_groups.show_group": ("/problems/{problem}",),
    "problem_groups.show_groups": ("/problems",),
    "rule_form.show_new": ("/alerts/rules/new", "/alerts/rules/new?kind=failed"),
    "rule_form.show_rule": ("/alerts/rules/{rule}",),
    "schedules.show_schedule": ("/workflows/{workflow}/schedule",),
    "runs.show_errors": ("/runs/errors",),
    "runs.show_run": ("/runs/{run}",),
    "runs.show_runs": ("/runs", "/runs?outcome=failure"),
    "settings.show_settings": ("/settings",),
    "troubleshooting.show_table": ("/troubleshooting",),
    "two_factor.show_offer": ("/account/two-factor",),
    "workflows.show_workflow": ("/workflows/{workflow}",),
    "workflows.show_workflows": ("/workflows",),
}
"""By endpoint: addresses, in which {event}, {workflow}, {key} and so on stand for ids."""

SIGNED_OUT = {
    "second_step.show_second_step": ("/sign-in/code",),
    "sign_in.show_sign_in": ("/sign-in", "/sign-in?next=/events"),
    "sign_in.show_set_up": ("/setup", "/setup?token=wrong"),
    "lost_password.show_question": ("/sign-in/lost-password",),
    "lost_password.show_form": ("/sign-in/new-password/none",),
    "joining.show_invitation": ("/invitation/none",),
}
"""Pages for those who are not signed in."""

NO_PAGES = frozenset(
    {
        "static",
        "account.ask_provider",
        "assets.show_styles",
        "audit.export_csv",
        "audit.export_lines",
        "channel.show_test",
        "connect.lead_back",
        "badges.show_json",
        "badges.show_svg",
        "connect.listen_once",
        "foreign_pings.ping_cronitor",
        "foreign_pings.ping_healthchecks",
        "event.download_body",
        "event.download_headers",
        "event.download_reproduction",
        "exports.export_events",
        "exports.export_problems",
        "exports.export_runs",
        "health.show_health",
        "health.show_readiness",
        "live_log.stream_events",
        "markdown.show_document",
        "markdown.show_llms",
        "markdown.show_reference",
        "mending.download_draft",
        "metrics.show_metrics",
        "oidc.begin",
        "oidc.come_back",
        "overview.show_fragment",
        "runner.show_runner",
        "runs.download_texts",
    }
)
"""Endpoints that answer GET with something other than a page: files, streams, parts of pages."""


def unlisted(app: Flask) -> set[str]:
    """Endpoints that a browser can open and that nobody has listed above."""
    console = {
        rule.endpoint
        for rule in app.url_map.iter_rules()
        if "GET" in (rule.methods or ()) and not rule.rule.startswith("/api/")
    }
    return console - PAGES.keys() - SIGNED_OUT.keys() - NO_PAGES


def addresses(
    ids: Mapping[str, Sequence[str]], pages: Mapping[str, Sequence[str]] = PAGES
) -> Iterator[str]:
    """Each page's addresses, with each of the ids that it can take."""
    for templates in pages.values():
        for template in templates:
            names = [name for _, name, _, _ in Formatter().parse(template) if name]
            for values in product(*(ids[name] for name in names)):
                yield template.format(**dict(zip(names, values, strict=True)))
