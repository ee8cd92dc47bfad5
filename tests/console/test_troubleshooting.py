"""The troubleshooting page holds each row of the table, for everybody."""

import pytest
from flask.testing import FlaskClient

from app.console.troubleshooting import KIND_TITLES
from app.problems import KINDS, PROBLEMS
from tests.console.pages import open_page
from tests.factories import Team


@pytest.fixture
def text(client: FlaskClient) -> str:
    return open_page(client, "/troubleshooting").text


def test_every_kind_has_its_group() -> None:
    assert set(KIND_TITLES) == set(KINDS)


def test_every_row_is_there_under_its_code(client: FlaskClient) -> None:
    page = open_page(client, "/troubleshooting")
    for code, row in PROBLEMS.items():
        assert page.has_id(code)
        for cell in (row.title, row.where, row.symptom, row.cause, row.fix, row.wrong, row.right):
            assert " ".join(cell.split()) in page.text


def test_the_three_rows_of_the_reference_come_first(text: str) -> None:
    top = text[: text.index("Requests that are refused")]
    for words in (
        "401",
        "X-API-Key or Bearer header",
        "404",
        "workflow_id or workflow_slug",
        "400",
    ):
        assert words in top
    assert "ended_at is present" in top


def test_who_is_signed_in_has_the_navigation(
    client: FlaskClient, owner: FlaskClient, team: Team
) -> None:
    assert "/keys" in open_page(owner, "/troubleshooting").links
    links = open_page(client, "/troubleshooting").links
    assert "/keys" not in links
    assert "/sign-in" in links
