"""Documents that are pages of the app too, in the order in which a newcomer would read them."""

from pathlib import Path
from typing import NamedTuple

from app.console.integration_files import ROOT


class Guide(NamedTuple):
    """`name` is its file in docs/, and its address under /docs."""

    name: str
    label: str
    hint: str

    @property
    def file(self) -> Path:
        return FILES_ELSEWHERE.get(self.name, ROOT / "docs" / f"{self.name}.md")


FILES_ELSEWHERE = {"changelog": ROOT / "CHANGELOG.md", "security": ROOT / "SECURITY.md"}

SECTIONS = {
    "Get started": (
        Guide("quick-start", "Quick start", "From the code to the first event in three minutes"),
        Guide("concepts", "Concepts", "Each word in two sentences"),
        Guide("console", "The console", "Its pages, one by one"),
        Guide("faq", "Questions and answers", "What people ask, and short answers"),
    ),
    "Report runs": (
        Guide("using-the-api", "Using the API", "Report and read with plain HTTP"),
        Guide("reliable-sending", "Reliable sending", "Once, whatever happens on the way"),
        Guide("pings", "Pings", "For cron jobs and what can't send JSON"),
        Guide("batch", "Batches", "Up to 500 events in one request"),
        Guide("clients", "Clients", "Python and JavaScript"),
    ),
    "Watch": (
        Guide("schedules", "Schedules", "Silence, and runs that hang"),
        Guide("alerts", "Alerts", "Rules, quiet hours, maintenance"),
        Guide("channels", "Channels", "Mail, chat, pagers, webhooks"),
        Guide("insights", "Runs and charts", "What counts where; badges"),
    ),
    "Run it yourself": (
        Guide("self-hosting", "Self-hosting", "Install, settings, proxy, backup, upgrade"),
        Guide("deployment", "Deployment", "Containers, systemd, proxies"),
        Guide("monitoring", "Monitoring", "Probes, metrics, log lines"),
        Guide("backup", "Backup and restore", "Each day, and a rehearsal"),
        Guide("upgrading", "Upgrading", "Five steps, and the way back"),
        Guide("changelog", "Release notes", "What is new in each version"),
        Guide("retention", "Retention", "What is kept how long"),
        Guide("scaling", "Scaling", "Several machines, sizing, replicas"),
        Guide("moving-to-postgresql", "To PostgreSQL", "From SQLite, with one command"),
        Guide("reliability", "Reliability", "What happens when things break"),
    ),
    "People and security": (
        Guide("security", "Security", "What is defended, against whom"),
        Guide("teams", "People and workspaces", "Roles and invitations"),
        Guide("signing-in", "Signing in", "Passwords, two factors, sessions"),
        Guide("single-sign-on", "Single sign-on", "By a provider, or by a proxy's word"),
        Guide("secrets", "Secrets", "What is hidden, and what is never kept"),
        Guide("audit-log", "Audit log", "Who did what"),
        Guide("browser-security", "Browsers and proxies", "Hosts, headers, cookies"),
        Guide("data", "Data in and out", "Exports, deletion"),
    ),
    "Come from elsewhere": (
        Guide("moving", "Moving here", "From Healthchecks, Uptime Kuma or Cronitor"),
    ),
}
GUIDES = {each.name: each for guides in SECTIONS.values() for each in guides}
