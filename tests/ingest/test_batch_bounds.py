"""What one batch may cost the others: of the processor, of the disk, and of the room in the log."""

import difflib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from app.extensions import writing
from app.ingest.suggestions import closest_slug
from app.models import Workflow
from tests.factories import Team, make_team
from tests.ingest.batch_sending import good, send_batch


@pytest.fixture
def team(app: Flask) -> Team:
    return make_team()


@contextmanager
def counted(name: str) -> Iterator[list[Any]]:
    """The calls of one of difflib's methods."""
    calls: list[Any] = []
    as_ever = getattr(difflib.SequenceMatcher, name)

    def count(matcher: Any) -> Any:
        calls.append(matcher)
        return as_ever(matcher)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(difflib.SequenceMatcher, name, count)
        yield calls


# --- suggestions ----------------------------------------------------------------------------------


def test_the_same_wrong_workflow_is_compared_with_the_others_once(
    client: FlaskClient, team: Team
) -> None:
    wrong = good(team, workflow_slug="lead-enrichmnt")
    with counted("quick_ratio") as for_one:
        assert send_batch(client, team, good(team), wrong).status_code == 207
    with counted("quick_ratio") as for_many:
        answer = send_batch(client, team, good(team), *[wrong] * 30)
    assert len(for_one) > 0
    assert len(for_many) == len(for_one)
    told = [each["detail"] for each in answer.json["events"][1:]]
    assert len(told) == 30 and all("'lead-enrichment'" in detail for detail in told)


def test_only_so_many_different_wrong_workflows_bring_a_suggestion(
    client: FlaskClient, team: Team
) -> None:
    wrong = [good(team, workflow_slug=f"lead-enrichment-{n}") for n in range(40)]
    answer = send_batch(client, team, good(team), *wrong, wrong[0])
    told = [each["detail"] for each in answer.json["events"][1:]]
    suggested = ["Did you mean" in detail for detail in told]
    assert suggested == [True] * 20 + [False] * 20 + [True]
    assert "Create it under Workflows" in told[20]


def test_few_of_many_workflows_are_compared_in_full(client: FlaskClient, team: Team) -> None:
    slugs = [f"nightly-{'abcdefgh'[n % 8] * 3}-{n:03}" for n in range(300)]
    with writing() as session:
        session.add_all(
            Workflow(workspace_id=team.workspace_id, name=slug.title(), slug=slug) for slug in slugs
        )
    with counted("ratio") as calls:
        answer = send_batch(client, team, good(team, workflow_slug="nightly-ccc-2100"))
    assert "'nightly-ccc-210'" in answer.json["detail"]
    assert 0 < len(calls) < 30


@pytest.mark.parametrize(
    "value",
    ["lead-enrichmnt", "Lead Enrichment", "sync", "ysnc", "x" * 300, "", "invoice sync (copy)"],
)
def test_the_suggestion_is_that_of_difflib(value: str) -> None:
    slugs = [
        "lead-enrichment",
        "lead-enricher",
        "sync",
        "sync-2",
        "sync-3",
        "invoice-sync",
        "x" * 99,
    ]
    known = [(slug, slug.replace("-", " ").title()) for slug in slugs]
    texts = {text.lower(): slug for slug, name in known for text in (name, slug)}
    close = difflib.get_close_matches(value[:255].lower(), texts, n=1, cutoff=0.6)
    assert closest_slug(value, known) == (texts[close[0]] if close else None)
