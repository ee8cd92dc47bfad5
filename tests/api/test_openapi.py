"""The OpenAPI document: valid, complete, and with an example of whatever is answered."""

import json
import re

from flask import Flask
from flask.testing import FlaskClient
from openapi_schema_validator import OAS31Validator
from openapi_spec_validator import OpenAPIV31SpecValidator

from app.problems import PROBLEMS, public_code

ALONE = ("/healthz", "/readyz", "/metrics", "/llms.txt")


def test_openapi_is_valid_needs_no_key_and_has_every_route(client: FlaskClient, app: Flask) -> None:
    answer = client.get("/api/v1/openapi.json")
    assert answer.status_code == 200
    document = answer.json
    OpenAPIV31SpecValidator(document).validate()
    described = {re.sub(r"{\w+}", "<>", path) for path in document["paths"]}
    routes = {
        re.sub(r"<\w+>", "<>", rule.rule)
        for rule in app.url_map.iter_rules()
        if rule.rule.startswith(("/api/v1/", "/badge/", *ALONE))
    }
    assert described == routes


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
                ((media_type, media),) = answer["content"].items()
                if not media_type.endswith("json"):
                    continue
                rows = media.get("examples", {"": {"value": media.get("example")}})
                validator = OAS31Validator({**media["schema"], "components": components})
                for code, row in rows.items():
                    validator.validate(row.get("value") or components["examples"][code]["value"])
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
