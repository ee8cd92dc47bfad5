"""The OpenAPI document: valid, complete, and with an example of whatever is answered."""

import json
import re
from collections.abc import Callable, Iterator

import pytest
from flask import Flask
from flask.testing import FlaskClient
from openapi_schema_validator import OAS31Validator
from openapi_spec_validator import OpenAPIV31SpecValidator

from app.api.other_monitors import TAG
from app.console.access import ACCESS
from app.extensions import db
from app.problems import PROBLEMS, public_code

FOR_PEOPLE = {
    *ACCESS,
    "static",
    "assets",
    "sign_in",
    "oidc",
    "second_step",
    "joining",
    "lost_password",
    "troubleshooting",
    "docs",
    "doc_pages",
}
"""The blueprints of the console's pages, and what pages are drawn with."""


@pytest.fixture(params=[True, False], ids=["with other monitors", "without"])
def app(request: pytest.FixtureRequest, make_app: Callable[..., Flask]) -> Iterator[Flask]:
    """One that serves the addresses of other monitors, and one that does not."""
    app = make_app(FLOWPULSE_COMPATIBILITY=request.param)
    with app.app_context():
        yield app
        db.session.remove()


def test_openapi_is_valid_needs_no_key_and_has_every_route(client: FlaskClient, app: Flask) -> None:
    answer = client.get("/api/v1/openapi.json")
    assert answer.status_code == 200
    document = answer.json
    OpenAPIV31SpecValidator(document).validate()
    described = {
        (method.upper(), re.sub(r"{\w+}", "<>", path))
        for path, operations in document["paths"].items()
        for method in operations
    }
    assert described == set(list_routes(app))


def list_routes(app: Flask) -> Iterator[tuple[str, str]]:
    """All that is no page for people, with each method; HEAD goes with GET."""
    is_off = not app.config["FLOWPULSE_COMPATIBILITY"]
    for rule in app.url_map.iter_rules():
        blueprint = rule.endpoint.partition(".")[0]
        if blueprint in FOR_PEOPLE or (is_off and blueprint == "foreign_pings"):
            continue
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}:
            yield method, re.sub(r"<[^>]+>", "<>", rule.rule)


def test_openapi_tells_of_other_monitors_there_where_they_are_served(
    client: FlaskClient, app: Flask
) -> None:
    document = client.get("/api/v1/openapi.json").json
    tags = {each["name"] for each in document["tags"]}
    used = {
        tag
        for operations in document["paths"].values()
        for operation in operations.values()
        for tag in operation["tags"]
    }
    assert tags == used
    assert (TAG in tags) == app.config["FLOWPULSE_COMPATIBILITY"]


def test_openapi_has_an_example_of_each_refusal_that_an_answer_may_name(
    client: FlaskClient,
) -> None:
    document = client.get("/api/v1/openapi.json").json
    examples = document["components"]["examples"]
    told_elsewhere = {"unknown_address", "ended_address"}  # In other monitors' terms.
    rows = [
        row for row in PROBLEMS.values() if row.kind == "request" and row.code not in told_elsewhere
    ]
    assert examples.keys() == {public_code(row.code) for row in rows}
    schemas = document["components"]["schemas"]
    resolver = {"$defs": {}, **schemas["Problem"], "components": document["components"]}
    for code, example in examples.items():
        OAS31Validator(resolver).validate(example["value"])
        assert (example["value"]["code"], example["value"]["status"]) == (
            code,
            PROBLEMS[code].status,
        )


def test_openapi_has_an_example_of_each_answer_in_json_that_fits_its_schema(
    client: FlaskClient,
) -> None:
    document = client.get("/api/v1/openapi.json").json
    components, shown = document["components"], 0
    for operations in document["paths"].values():
        for operation in operations.values():
            for answer in operation["responses"].values():
                for media_type, media in answer["content"].items():
                    if not media_type.endswith("json") and "examples" not in media:
                        continue
                    rows = media.get("examples", {"": {"value": media.get("example")}})
                    validator = OAS31Validator({**media["schema"], "components": components})
                    for code, row in rows.items():
                        said = row.get("value") or components["examples"][code]["value"]
                        validator.validate(said)
                        shown += 1
    assert shown > 200


def test_openapi_says_which_refusals_tell_when_to_try_again(client: FlaskClient) -> None:
    paths = client.get("/api/v1/openapi.json").json["paths"]
    for path, operations in paths.items():
        for operation in operations.values():
            answers = operation["responses"]
            if "security" in operation:  # One of its own, or none.
                assert ("401" in answers) == bool(operation["security"]), path
                continue
            for status in ("429", "500", "503"):
                assert answers[status]["headers"]["Retry-After"]["required"], path
            assert answers["401"]["headers"]["WWW-Authenticate"]["required"], path
            assert answers["405"]["headers"]["Allow"]["required"], path


def test_openapi_names_this_server(client: FlaskClient) -> None:
    (server,) = client.get("/api/v1/openapi.json").json["servers"]
    assert server["url"] == "http://localhost"


def test_openapi_says_of_each_field_what_validation_holds(client: FlaskClient) -> None:
    schemas = client.get("/api/v1/openapi.json").json["components"]["schemas"]
    failure = schemas["RunFailure"]
    assert set(failure["required"]) == {"ended_at", "error_message"}
    assert "anyOf" in failure, "one of the three workflow references"
    fields = failure["properties"]
    assert fields["ended_at"]["format"] == "date-time"
    assert fields["external_execution_id"]["maxLength"] == 255
    assert fields["source_platform"]["maxLength"] == 64
    assert (fields["duration_ms"]["minimum"], fields["duration_ms"]["maximum"]) == (0, 2**53)
    assert all(field["description"] and "example" in json.dumps(field) for field in fields.values())
