"""What stands in the bar at the top of each page, and in the menu of the account."""

from typing import Any, NamedTuple

from flask import g, request, url_for


class Entry(NamedTuple):
    """An entry of the bar; `blueprints` are those under which it is the current one."""

    label: str
    endpoint: str
    blueprints: frozenset[str]


class AccountLink(NamedTuple):
    """An entry of the account's menu, for everybody or for one role."""

    label: str
    endpoint: str
    icon: str
    role: str | None = None


NAVIGATION = (
    Entry("Overview", "overview.show_overview", frozenset({"overview"})),
    Entry("Insights", "insights.show_insights", frozenset({"insights"})),
    Entry("Events", "live_log.show_events", frozenset({"live_log", "event", "mending"})),
    Entry("Runs", "runs.show_runs", frozenset({"runs"})),
    Entry("Problems", "problem_groups.show_groups", frozenset({"problem_groups"})),
    Entry(
        "Alerts",
        "alerts.show_alerts",
        frozenset(
            {
                "alerts",
                "alert_rules",
                "rule_form",
                "maintenance",
                "channels",
                "channel",
                "delivery",
                "mails",
            }
        ),
    ),
    Entry(
        "Workflows",
        "workflows.show_workflows",
        frozenset(
            {"workflows", "workflow_extras", "schedules", "connect", "test_events", "importing"}
        ),
    ),
    Entry("API keys", "keys.show_keys", frozenset({"keys", "key_page"})),
    Entry(
        "Docs",
        "docs.show_reference",
        frozenset({"docs", "doc_pages", "troubleshooting", "try_it"}),
    ),
)
ACCOUNT_LINKS = (
    AccountLink("Account", "account.show_account", "user"),
    AccountLink("Settings", "settings.show_settings", "settings"),
    AccountLink("Audit log", "audit.show_log", "shield-check", "owner"),
)


def list_navigation() -> dict[str, Any]:
    """For every template; asks no database, since error pages are drawn with it too."""
    entries = [
        {
            "label": entry.label,
            "href": url_for(entry.endpoint),
            "active": request.blueprint in entry.blueprints,
        }
        for entry in NAVIGATION
    ]
    links = [
        {"label": link.label, "href": url_for(link.endpoint), "icon": link.icon}
        for link in ACCOUNT_LINKS
        if link.role in (None, g.get("role"))
    ]
    return {
        "navigation": entries,
        "account_links": links,
        "own_workspaces": g.get("workspaces", ()),
        "sign_out_href": url_for("sign_in.sign_out"),
        "connect_href": url_for("connect.show_connect"),
    }
