"""The API reference as data, read from the OpenAPI document and the troubleshooting table."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from app.api.open_addresses import TAG
from app.api.openapi import build_document
from app.api.other_monitors import TAG as OTHERS
from app.clock import now
from app.problems import PROBLEMS, Problem

_EXAMPLE_FIELDS = (
    "kind",
    "workflow_slug",
    "ended_at",
    "duration_ms",
    "external_execution_id",
    "source_platform",
    "error_type",
    "error_message",
)
_ONE_OF = "one of three"


@dataclass(frozen=True, slots=True)
class Field:
    """A field or parameter. `need` is "yes", "no", or "one of three"; `rules` are its limits."""

    name: str
    type: str
    need: str
    description: str
    rules: str = ""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One endpoint: what it takes, what it answers, and with which codes it refuses."""

    id: str
    tag: str
    method: str
    path: str
    summary: str
    description: str
    body: tuple[Field, ...]
    path_parameters: tuple[Field, ...]
    query_parameters: tuple[Field, ...]
    headers: tuple[Field, ...]
    status: str
    answer: tuple[Field, ...]
    is_list: bool
    refusals: tuple[Problem, ...]
    examples: dict[str, Any]

    @property
    def kind(self) -> str:
        """The event that an ingest endpoint takes: the last part of its path."""
        return self.path.rpartition("/")[2]

    @property
    def needs_key(self) -> bool:
        return self.tag not in (TAG, OTHERS)


@cache
def list_endpoints(*, has_others: bool = False) -> tuple[Endpoint, ...]:
    """`has_others`: with the addresses of other monitors, as for `build_document`."""
    document = build_document(has_others=has_others)
    return tuple(
        _read_endpoint(document, path, method, operation)
        for path, operations in document["paths"].items()
        for method, operation in operations.items()
    )


@cache
def list_tags(*, has_others: bool = False) -> dict[str, str]:
    """What the document says of each group of endpoints, by its name."""
    tags = build_document(has_others=has_others)["tags"]
    return {tag["name"]: tag["description"] for tag in tags}


def list_shared_refusals() -> tuple[Problem, ...]:
    """Those that every endpoint with a key has, in the order of the first."""
    first, *others = (each for each in list_endpoints() if each.needs_key)
    return tuple(row for row in first.refusals if all(row in each.refusals for each in others))


def example_body(endpoint: Endpoint, slug: str) -> str:
    """A body that is accepted as it is, once a workflow has this slug."""
    batch = endpoint.examples.get("events")
    events = [
        _fill(each, slug, number) for number, each in enumerate(batch or [endpoint.examples], 1)
    ]
    return json.dumps({"events": events} if batch else events[0], indent=2)


def _fill(examples: dict[str, Any], slug: str, number: int) -> dict[str, Any]:
    values = {name: examples[name] for name in _EXAMPLE_FIELDS if name in examples}
    # Another id could be that of a real run, which the example would then change.
    values["external_execution_id"] = f"example-{number}"
    moment = "ended_at" if "ended_at" in examples else "started_at"
    return values | {"workflow_slug": slug, moment: now().strftime("%Y-%m-%dT%H:%M:%SZ")}


def curl_request(endpoint: Endpoint, base_url: str, body: str) -> str:
    lines = [f"curl '{base_url}{endpoint.path}'"]
    if endpoint.needs_key:
        lines.append("-H 'X-API-Key: fp_your_key'")
    if endpoint.method == "POST":
        lines[0] = lines[0].replace("curl ", "curl -X POST ", 1)
    if endpoint.body:
        lines += ["-H 'Content-Type: application/json'", f"-d '{body}'"]
    return " \\\n  ".join(lines)


def _read_endpoint(
    document: dict[str, Any], path: str, method: str, operation: dict[str, Any]
) -> Endpoint:
    schema = _content(operation.get("requestBody", {}))
    status, success = next(item for item in operation["responses"].items() if item[0] < "300")
    answer = _resolve(document, _content(success))
    is_list = "data" in answer.get("properties", {})
    row = answer["properties"]["data"]["items"] if is_list else answer
    return Endpoint(
        id=operation["operationId"],
        tag=operation["tags"][0],
        method=method.upper(),
        path=path,
        summary=operation["summary"],
        description=operation.get("description", ""),
        body=tuple(_read_fields(document, schema, is_sent=True)),
        path_parameters=_read_parameters(operation, "path"),
        query_parameters=_read_parameters(operation, "query"),
        headers=_read_parameters(operation, "header"),
        status=status,
        answer=tuple(_read_fields(document, row)),
        is_list=is_list,
        refusals=tuple(_read_refusals(operation)),
        examples=_read_examples(document, schema),
    )


def _content(part: dict[str, Any]) -> dict[str, Any]:
    return dict(part.get("content", {}).get("application/json", {}).get("schema", {}))


def _resolve(document: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    if "$ref" in schema:
        return dict(document["components"]["schemas"][schema["$ref"].rpartition("/")[2]])
    return schema


def _read_fields(
    document: dict[str, Any], schema: dict[str, Any], *, is_sent: bool = False
) -> Iterator[Field]:
    """Of what is sent, the type that is meant; what else is tolerated is told in warnings."""
    schema = _resolve(document, schema)
    one_of = {name for each in schema.get("anyOf", ()) for name in each["required"]}
    for name, each in schema.get("properties", {}).items():
        required = "yes" if name in schema.get("required", ()) else "no"
        shown = {**each, "type": _first_type(each)} if is_sent else each
        yield _as_field(name, shown, _ONE_OF if name in one_of else required)
        inner, prefix = _find_inner(each)
        if inner is not None:
            of_inner = _read_fields(document, inner, is_sent=is_sent)
            yield from (replace(field, name=f"{name}{prefix}{field.name}") for field in of_inner)


def _first_type(schema: dict[str, Any]) -> Any:
    types = schema.get("type", "object")
    return types[0] if isinstance(types, list) else types


def _find_inner(schema: dict[str, Any]) -> tuple[dict[str, Any] | None, str]:
    """The schema of what it holds, and how that is told; of a list, of what its items share or are
    as a rule."""
    items = schema.get("items", {})
    parts = items.get("allOf") or items.get("oneOf") or schema.get("anyOf", [schema])
    inner = next((part for part in parts if "$ref" in part), None)
    return inner, "[]." if items else "."


def _read_parameters(operation: dict[str, Any], place: str) -> tuple[Field, ...]:
    return tuple(
        _as_field(
            each["name"],
            {**each["schema"], **each, "type": _first_type(each["schema"])},
            "yes" if each.get("required") else "no",
        )
        for each in operation["parameters"]
        if each["in"] == place
    )


def _as_field(name: str, schema: dict[str, Any], need: str) -> Field:
    types = schema.get("type", "string" if "const" in schema else "object")
    text = " or ".join(types) if isinstance(types, list) else str(types)
    if "date-time" in [each.get("format") for each in (schema, *schema.get("anyOf", ()))]:
        text = text.replace("string", "string (ISO 8601)")
    rules = [
        words.format(schema[rule])
        for rule, words in (
            ("maxLength", "at most {} characters"),
            ("minimum", "at least {:.0f}"),
            ("default", "{} if not given"),
        )
        if schema.get(rule) is not None and (rule == "default" or schema[rule] >= 0)
        if (rule, schema[rule]) != ("maxLength", 0)  # What is empty counts as not given.
    ]
    if "enum" in schema:
        rules.append("one of " + ", ".join(str(each) for each in schema["enum"] if each != ""))
    return Field(name, text, need, schema.get("description", ""), "; ".join(rules))


def _read_refusals(operation: dict[str, Any]) -> Iterator[Problem]:
    """The rows of the table that an answer of this endpoint may name: each has its example."""
    for response in operation["responses"].values():
        media = response["content"].get("application/problem+json", {})
        yield from (PROBLEMS[code] for code in media.get("examples", ()) if code in PROBLEMS)


def _read_examples(document: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    properties = _resolve(document, schema).get("properties", {})
    return {name: each.get("example") for name, each in properties.items()}
