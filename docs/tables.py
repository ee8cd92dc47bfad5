"""`python -m docs.tables`: rewrites the tables that are drawn from code; a test checks them."""

from collections.abc import Callable
from pathlib import Path

from app.config import SETTINGS
from app.invocation import as_documented
from app.models import IDEMPOTENCY_WINDOW
from app.problems import KINDS, PROBLEMS, Problem
from app.processing.retention import KEY_USAGE_KEPT, MESSAGES_KEPT
from app.processing.rollups import QUARTERS_KEPT
from app.workspaces.audit import ACTIONS
from app.workspaces.audit import KINDS as AUDIT_KINDS
from docs.sizing import draw_billion, draw_figures, draw_sizes, draw_writers

ROOT = Path(__file__).parent.parent
_KIND_TITLES = {
    "request": "Refused requests",
    "body": "Bodies that are not JSON",
    "field": "Fields",
    "warning": "Warnings: taken, and worth a look",
    "processing": "Processing",
    "sign_in": "Signing in by a provider or proxy",
    "delivery": "Deliveries",
}


def draw_settings() -> str:
    lines = ["| Setting | Default | What it does |", "|---|---|---|"]
    for setting in SETTINGS:
        default = f"`{setting.default}`" if setting.default else "empty"
        lines.append(f"| `{setting.name}` | {default} | {setting.help} |")
    return "\n".join(lines)


def draw_retention() -> str:
    """What is kept how long: by settings, and by what no setting changes."""
    days = {setting.name: setting.default for setting in SETTINGS}
    rows = [
        (
            "Refused requests",
            f"{days['FLOWPULSE_REJECTED_DAYS']} days",
            "`FLOWPULSE_REJECTED_DAYS`",
        ),
        (
            "… and of those at most",
            f"{int(days['FLOWPULSE_REJECTED_ROWS']):,}",
            "`FLOWPULSE_REJECTED_ROWS`",
        ),
        (
            "Processed events, successful runs",
            f"{days['FLOWPULSE_EVENT_DAYS']} days",
            "`FLOWPULSE_EVENT_DAYS`",
        ),
        (
            "Failed runs, runs that never ended, events that could not be processed, past alerts, "
            "silences, downtimes",
            f"{days['FLOWPULSE_FAILURE_DAYS']} days",
            "`FLOWPULSE_FAILURE_DAYS`",
        ),
        ("Messages and their deliveries", f"{MESSAGES_KEPT.days} days", ""),
        ("Who used an API key, by day", f"{KEY_USAGE_KEPT.days} days", ""),
        ("Answers to an `Idempotency-Key`", f"{IDEMPOTENCY_WINDOW.days * 24} hours", ""),
        ("Sums by quarters of an hour", f"{QUARTERS_KEPT.days} days", ""),
        ("Sums by hours and days", "as long as their workflow", ""),
        ("[Audit log](audit-log.md)", "for good; what strangers cause, 90 days", ""),
    ]
    lines = ["| What | Kept for | Setting |", "|---|---|---|"]
    return "\n".join(lines + [f"| {' | '.join(row)} |" for row in rows])


def draw_actions() -> str:
    """What the audit log tells of, by kind: each action's name in exports, and its words."""
    lines = ["| | In an export | On the page |", "|---|---|---|"]
    for kind, label in AUDIT_KINDS.items():
        actions = [(name, action) for name, action in ACTIONS.items() if action.kind == kind]
        for number, (name, action) in enumerate(actions):
            lines.append(f"| {'' if number else label} | `{name}` | {action.words} … |")
    return "\n".join(lines)


def draw_troubleshooting() -> str:
    """The whole table as a page, as the app shows it under /troubleshooting."""
    parts = [
        "# Troubleshooting",
        "",
        "Drawn from `app/problems.toml`, as are the API's answers and the app's own page.",
    ]
    for kind in KINDS:
        parts += ["", f"## {_KIND_TITLES[kind]}"]
        for problem in PROBLEMS.values():
            if problem.kind == kind:
                parts += ["", _draw_problem(problem)]
    return as_documented("\n".join(parts) + "\n")


def _draw_problem(problem: Problem) -> str:
    return "\n".join(
        [
            f"### `{problem.code}` {problem.title}",
            "",
            f"- **Symptom:** {problem.symptom} (HTTP {problem.status})",
            f"- **Where:** {problem.where}",
            f"- **Cause:** {problem.cause}",
            f"- **Fix:** {problem.fix}",
            "",
            "Wrong:",
            "",
            _indent(problem.wrong),
            "",
            "Right:",
            "",
            _indent(problem.right),
        ]
    )


def _indent(text: str) -> str:
    return "\n".join(f"    {line}" for line in text.strip().splitlines())


def fill_in(document: str, name: str, table: str) -> str:
    """The document with what stands between the table's two marks replaced."""
    begin, end = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
    before, _, rest = document.partition(begin)
    _, found, after = rest.partition(end)
    if not found:
        raise ValueError(f"The document has no marks for the table {name!r}.")
    return f"{before}{begin}\n\n{table}\n\n{end}{after}"


def draw_scaling(page: str) -> str:
    """The page with all that is reckoned from measured figures."""
    page = fill_in(page, "figures", draw_figures())
    page = fill_in(page, "sizes", draw_sizes())
    page = fill_in(page, "writers", draw_writers())
    return fill_in(page, "billion", draw_billion())


PAGES: dict[str, Callable[[str], str]] = {
    "README.md": lambda page: fill_in(page, "settings", draw_settings()),
    "docs/scaling.md": draw_scaling,
    "docs/retention.md": lambda page: fill_in(page, "retention", draw_retention()),
    "docs/audit-log.md": lambda page: fill_in(page, "actions", draw_actions()),
    "docs/troubleshooting.md": lambda page: draw_troubleshooting(),
}
"""The pages with drawn parts, and how each is made from what it is now."""


def main() -> None:
    for name, draw in PAGES.items():
        path = ROOT / name
        path.write_text(draw(path.read_text() if path.exists() else ""))


if __name__ == "__main__":
    main()
