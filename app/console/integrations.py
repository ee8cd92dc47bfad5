"""What can report to FlowPulse, with its page in integrations/: one line each."""

from functools import cache
from pathlib import Path
from typing import NamedTuple

from app.console.guides import GUIDES
from app.console.integration_files import FOLDER
from app.console.prose import Document, read_document


class Integration(NamedTuple):
    """`name` is its folder in integrations/, and its address under /docs."""

    name: str
    label: str
    icon: str
    hint: str


INTEGRATIONS = {
    each.name: each
    for each in (
        Integration("n8n", "n8n", "workflow", "Sub-workflow, success step, error workflow"),
        Integration("make", "Make", "plug", "Blueprint and error route"),
        Integration("zapier", "Zapier", "zap", "Webhooks by Zapier"),
        Integration("cron", "cron", "clock", "flowpulse-run, or curl alone"),
        Integration("systemd", "systemd timers", "timer", "Service, timer, OnFailure"),
        Integration("github-actions", "GitHub Actions", "git-branch", "A last step, always run"),
        Integration("gitlab-ci", "GitLab CI", "git-branch", "after_script"),
        Integration("kubernetes", "Kubernetes CronJob", "server", "Job, secret, wrapper"),
        Integration("airflow", "Airflow", "activity", "Callbacks of a DAG"),
        Integration("dbt", "dbt", "layout-dashboard", "A wrapper that reads run_results.json"),
        Integration("python", "Python", "file-code", "One file, urllib only"),
        Integration("node", "Node", "braces", "One file, fetch only"),
        Integration("go", "Go", "code", "One file, net/http only"),
        Integration("php", "PHP", "code", "One file, without curl"),
        Integration("shell", "Shell", "terminal", "A function for sh"),
        Integration("http", "Any HTTP client", "globe", "curl to start from"),
    )
}


def page_file(name: str) -> Path | None:
    """The document of the page /docs/NAME."""
    if name in INTEGRATIONS:
        return FOLDER / name / "README.md"
    guide = GUIDES.get(name)
    return guide.file if guide else None


@cache
def read_page(name: str) -> Document | None:
    file = page_file(name)
    return read_document(file.read_text(encoding="utf-8")) if file else None
