"""API keys: limits, and rotation in one transaction."""

from datetime import timedelta

import pytest
from flask import Flask

from app.clock import now
from app.extensions import db
from app.models import ApiKey
from app.workspaces.api_keys import (
    create_api_key,
    find_successor,
    revoke_api_key,
    rotate_api_key,
)
from app.workspaces.people import RefusedError
from tests.factories import Team, make_team


@pytest.fixture
def team(app: Flask) -> Team:
    return make_team()


def key_of(team: Team) -> ApiKey:
    api_key = db.session.get(ApiKey, team.api_key_id)
    assert api_key is not None
    return api_key


def test_the_new_key_takes_over_all_but_the_secret(team: Team) -> None:
    expires_at = now() + timedelta(days=90)
    old, secret = create_api_key(
        team.workspace_id, "n8n", ["ingest"], expires_at, workflow_ids=[team.workflow_id]
    )
    new, fresh = rotate_api_key(old, now() + timedelta(hours=1))
    assert fresh != secret and new.key_hash != old.key_hash
    assert (new.name, new.scopes, new.workflow_ids) == ("n8n", "ingest", [team.workflow_id])
    assert (old.name, new.replaces_id) == ("n8n (old)", old.id)
    assert new.expires_at is not None and old.expires_at is not None
    assert abs(new.expires_at - now() - timedelta(days=90)) < timedelta(minutes=1)
    assert abs(old.expires_at - now() - timedelta(hours=1)) < timedelta(minutes=1)
    assert find_successor(old) == new and find_successor(new) is None


def test_an_old_key_never_lives_longer_than_it_would_have(team: Team) -> None:
    expires_at = now() + timedelta(hours=1)
    old, _ = create_api_key(team.workspace_id, "short", expires_at=expires_at)
    rotate_api_key(old, now() + timedelta(days=30))
    assert old.expires_at == expires_at


def test_names_stay_unique_and_short_enough(team: Team) -> None:
    first, _ = create_api_key(team.workspace_id, "n" * 120)
    second, _ = rotate_api_key(first, now() + timedelta(days=1))
    third, _ = rotate_api_key(second, now() + timedelta(days=1))
    assert third.name == "n" * 120
    assert first.name == "n" * 114 + " (old)"
    assert second.name == "n" * 112 + " (old 2)"


def test_a_key_is_rotated_once_and_never_after_it_was_revoked(team: Team) -> None:
    old = key_of(team)
    rotate_api_key(old, now() + timedelta(days=1))
    with pytest.raises(RefusedError, match="rotated already; n8n-prod replaces it"):
        rotate_api_key(old, now() + timedelta(days=1))
    revoke_api_key(old)
    with pytest.raises(RefusedError, match="revoked"):
        rotate_api_key(old, now() + timedelta(days=1))
    assert ApiKey.query.count() == 2


def test_a_key_is_limited_to_workflows_of_its_own_workspace(team: Team) -> None:
    other = make_team("Elsewhere", first=False)
    for foreign in (other.workflow_id, 999_999):
        with pytest.raises(RefusedError) as refused:
            create_api_key(team.workspace_id, "new", workflow_ids=[team.workflow_id, foreign])
        assert refused.value.field == "workflows"
    assert ApiKey.query.filter_by(name="new").count() == 0
    unlimited, _ = create_api_key(team.workspace_id, "new", workflow_ids=[])
    assert unlimited.workflow_ids is None
