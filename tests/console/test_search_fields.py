"""No search field takes more than its page reads."""

import pytest
from flask.testing import FlaskClient

from app.console import troubleshooting, url_filter, wizard, workflow_list
from app.workspaces.workflows import create_workflow
from tests.console.pages import open_page
from tests.factories import Team

FIELDS = [
    ("/events", "q", url_filter.MAX_TEXT),
    ("/events", "platform", url_filter.MAX_PLATFORM),
    ("/runs", "q", url_filter.MAX_TEXT),
    ("/runs", "platform", url_filter.MAX_PLATFORM),
    ("/runs", "correlation", 255),
    ("/workflows", "q", workflow_list.MAX_QUERY),
    ("/connect?tool=n8n", "find", workflow_list.MAX_QUERY),
    ("/troubleshooting", "q", troubleshooting.MAX_QUERY),
]


@pytest.mark.parametrize(("path", "name", "most"), FIELDS)
def test_a_search_field_takes_what_is_read_and_no_more(
    owner: FlaskClient, team: Team, path: str, name: str, most: int
) -> None:
    if name in ("q", "find"):
        for number in range(wizard.MOST_LISTED if name == "find" else 12):
            create_workflow(team.workspace_id, f"Workflow {number}")
    page = open_page(owner, path)
    found = [tag for kind, tag in page.tags if kind == "input" and tag.get("name") == name]
    assert [each.get("maxlength") for each in found] == [str(most)]
