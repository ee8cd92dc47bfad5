"""What stands in the bar at the top of each page."""

from typing import Any

from flask import request, url_for

NAVIGATION = (
    ("Events", "live_log.show_events", {"live_log", "event"}),
    ("Workflows", "workflows.show_workflows", {"workflows"}),
    ("API keys", "keys.show_keys", {"keys"}),
    ("Troubleshooting", "troubleshooting.show_table", {"troubleshooting"}),
)
"""Label, endpoint, and the blueprints under which the entry is the current one."""
ACCOUNT_LINKS = (
    ("Account", "account.show_account", "user"),
    ("Settings", "settings.show_settings", "settings"),
)
"""Label, endpoint and icon, in the user's menu."""


def list_navigation() -> dict[str, Any]:
    """For every template; asks no database, since error pages are drawn with it too."""
    entries = [
        {
            "label": label,
            "href": url_for(endpoint),
            "active": request.blueprint in blueprints,
        }
        for label, endpoint, blueprints in NAVIGATION
    ]
    links = [
        {"label": label, "href": url_for(endpoint), "icon": icon}
        for label, endpoint, icon in ACCOUNT_LINKS
    ]
    return {
        "navigation": entries,
        "account_links": links,
        "sign_out_href": url_for("sign_in.sign_out"),
    }
