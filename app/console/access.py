"""Which role each page asks for, what needs none, and what asks for the password again."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Access:
    """The least role that may look at a blueprint's pages, and the least that may change things."""

    look: str = "viewer"
    change: str = "member"


ACCESS = {
    "overview": Access(),
    "live_log": Access(),
    "event": Access(),
    "revealing": Access(change="viewer"),  # FLOWPULSE_REVEAL_ROLE says who.
    "insights": Access(),
    "runs": Access(),
    "mending": Access(look="member"),
    "problem_groups": Access(),
    "workflows": Access(),
    "schedules": Access(),
    "workflow_extras": Access(),
    "addresses": Access(),
    "test_events": Access(),
    "keys": Access(),
    "connect": Access(),
    "try_it": Access(),
    "key_page": Access(),
    "channels": Access(),
    "channel": Access(look="member"),
    "delivery": Access(look="member"),
    "mails": Access(look="admin"),  # They name people's addresses.
    "account": Access(change="viewer"),  # Everybody's own.
    "two_factor": Access(change="viewer"),
    "settings": Access(change="admin"),
    "audit": Access(look="owner", change="owner"),
    "doctor": Access(look="owner", change="owner"),
    "exports": Access(look="member"),
    "importing": Access(look="admin", change="admin"),
    "workspace_export": Access(look="owner", change="owner"),
    "alerts": Access(),
    "alert_rules": Access(),
    "rule_form": Access(look="member"),
    "maintenance": Access(),
    "workflow_labels": Access(),
}
"""The required roles, by blueprint."""

PUBLIC = frozenset(
    {
        "static",
        "assets.show_styles",
        "health.show_health",
        "health.show_readiness",
        "metrics.show_metrics",
        "badges.show_svg",
        "badges.show_json",
        "foreign_pings.ping_healthchecks",
        "foreign_pings.push_uptime_kuma",
        "foreign_pings.ping_cronitor",
        "sign_in.show_sign_in",
        "sign_in.sign_in",
        "sign_in.sign_out",
        "sign_in.show_set_up",
        "sign_in.set_up_server",
        "sign_in.enter_as_named",
        "oidc.begin",
        "oidc.come_back",
        "second_step.show_second_step",
        "second_step.take_second_step",
        "joining.show_invitation",
        "joining.use_invitation",
        "lost_password.show_question",
        "lost_password.send_link",
        "lost_password.show_form",
        "lost_password.save_password",
        "troubleshooting.show_table",
        "markdown.show_llms",
        "markdown.show_reference",
        "markdown.show_document",
        "docs.show_reference",
        "doc_pages.show_guides",
        "doc_pages.show_index",
        "doc_pages.show_page",
        "runner.show_runner",
    }
)
"""Endpoints that need nobody to be signed in."""


CHECK_THEIR_OWN_FORM = frozenset({"sign_in.set_up_server"})
"""Endpoints that have answers which need no form, and check the token after them."""

FRESH = frozenset(
    {
        "keys.add_key",
        "keys.revoke",
        "key_page.rotate",
        "addresses.add_address",
        "connect.add_key",
        "importing.make",
        "settings.save_role",
        "settings.remove",
        "settings.add_invitation",
        "settings.revoke_invitation",
        "settings.add_workspace",
        "settings.delete",
        "account.delete",
        "channel.add",
        "channel.save",
        "channel.switch_on",
        "channel.new_secret",
        "channel.delete",
        "revealing.reveal_values",
        "two_factor.show_offer",
        "two_factor.switch_on",
        "two_factor.show_new_codes",
        "audit.export_csv",
        "audit.export_lines",
        "exports.export_events",
        "exports.export_runs",
        "exports.export_problems",
        "workspace_export.export",
    }
)
"""Endpoints, of pages, files and forms, that need the password to have been given lately: keys,
members, channels, the second factor, hidden values, imports, exports. One file of one event or run
does not, unless hidden values stand in it: `downloads` asks for those."""
