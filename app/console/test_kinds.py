"""The kinds of test events: what is taken, and each request that a sender can be refused for.

A kind is named after the row of the troubleshooting table that it shows; where two show the same
one, after what they do.
"""

from datetime import timedelta

from app.console.test_bodies import cut_off, packed, text, too_large, unknown_slug, whole, with_
from app.console.test_kind import FAILURE, Group, TestEvent
from app.console.test_kinds_of_body import BODIES, FIELDS, WARNED
from app.console.test_suppositions import (
    OTHER,
    another,
    archived,
    key_is,
    key_sent,
    refused,
)
from app.keys import make_key
from app.problems import PROBLEMS

_ONCE = (("Idempotency-Key", "test-{new}"),)
_KEY_HINT = "As if it came with such a key."
_SERVER_HINT = "As if it had come so: the server refuses it before it reads the body."

TAKEN = Group(
    "Taken",
    (
        TestEvent("success", whole, label="Success"),
        TestEvent("failure", whole, FAILURE, label="Failure"),
        TestEvent(
            "retry",
            whole,
            label="A retry with the same Idempotency-Key",
            headers=_ONCE,
            before=whole,
        ),
    ),
)
WORKFLOW = Group(
    "Workflow",
    (
        TestEvent("workflow_not_found", unknown_slug),
        TestEvent(
            "workflow_archived",
            whole,
            suppose=archived,
            supposed="As if this workflow were archived.",
        ),
        TestEvent(
            "workflow_mismatch",
            with_(workflow_name=OTHER.name),
            suppose=another,
            supposed="As if there were another workflow of the name that is sent along.",
        ),
    ),
)
KEYS = Group(
    "API key",
    (
        TestEvent("missing_api_key", whole, suppose=key_sent(lambda: None)),
        TestEvent("malformed_api_key", whole, suppose=key_sent(lambda: make_key()[:-4])),
        TestEvent("unknown_api_key", whole, suppose=key_sent(make_key)),
        TestEvent(
            "revoked_api_key",
            whole,
            suppose=key_is(revoked_at=timedelta(minutes=-5)),
            supposed=_KEY_HINT,
        ),
        TestEvent(
            "expired_api_key",
            whole,
            suppose=key_is(expires_at=timedelta(minutes=-5)),
            supposed=_KEY_HINT,
        ),
        TestEvent("insufficient_scope", whole, suppose=key_is(scopes="read"), supposed=_KEY_HINT),
        TestEvent(
            "workflow_not_allowed", whole, suppose=key_is(workflow_ids="[0]"), supposed=_KEY_HINT
        ),
        TestEvent(
            "rate_limited",
            whole,
            suppose=refused("rate_limited"),
            supposed="As if too many had come at once.",
        ),
    ),
)
REQUEST = Group(
    "The request itself",
    (
        TestEvent(
            "method_not_allowed",
            text(""),
            suppose=refused(
                "method_not_allowed",
                "GET is not possible here; send POST.",
                method="GET",
                path="/api/v1/ingest/run-success",
            ),
            supposed=_SERVER_HINT,
        ),
        TestEvent(
            "not_found",
            whole,
            suppose=refused("not_found", path="/api/v1/ingest/run-sucess"),
            supposed=_SERVER_HINT,
        ),
        TestEvent(
            "unsupported_encoding",
            packed,
            label="Compressed, as Content-Encoding says",
            headers=(("Content-Encoding", "gzip"),),
        ),
        TestEvent("body_too_large", too_large),
        TestEvent(
            "idempotency_key_reused",
            with_(duration_ms=90),
            headers=_ONCE,
            before=whole,
        ),
        TestEvent(
            "request_timeout", cut_off, suppose=refused("request_timeout"), supposed=_SERVER_HINT
        ),
        TestEvent("bad_request", text(""), suppose=refused("bad_request"), supposed=_SERVER_HINT),
        TestEvent(
            "headers_too_large",
            text(""),
            suppose=refused("headers_too_large"),
            supposed=_SERVER_HINT,
        ),
        TestEvent(
            "address_too_long",
            text(""),
            suppose=refused("address_too_long", path=f"/api/v1/ingest/run-success?{'x' * 8_200}"),
            supposed=_SERVER_HINT,
        ),
    ),
)

GROUPS = (TAKEN, WARNED, BODIES, FIELDS, WORKFLOW, KEYS, REQUEST)
NOT_SHOWN = {
    "unauthorized": "what a sender is told of unknown, revoked and expired keys",
    "invalid_json": "shown by each kind of body",
    "validation_failed": "shown by each kind of field",
    "invalid_parameter": "of the reading API",
    "unknown_address": "of addresses as other monitors have them",
    "ended_address": "of addresses as other monitors have them",
    "unknown_kind": "of an event in a batch",
    "too_many_events": "of a batch",
    "batch_sent_alone": "of a batch",
    "no_events": "of a batch",
    "server_error": "of the server, whatever was sent",
    "unavailable": "of the server, whatever was sent, and not on disk",
    "processing_retrying": "of the worker, whatever was sent",
    "processing_failed": "of the worker, whatever was sent",
    "worker_stalled": "of the worker, whatever was sent",
    "month_without_table": "of the server, whatever was sent",
    "database_over_limit": "of the server, whatever was sent",
    "disk_nearly_full": "of the server, whatever was sent",
    **dict.fromkeys(
        (row.code for row in PROBLEMS.values() if row.kind == "sign_in"),
        "of people who sign in, whatever was sent",
    ),
    **dict.fromkeys(
        (row.code for row in PROBLEMS.values() if row.kind == "delivery"),
        "of a channel, whatever was sent",
    ),
}
"""The rows of the troubleshooting table that no kind is named after, and why."""


TESTS = {test.name: test for group in GROUPS for test in group.tests}
"""What can be sent, by name; the good ones first."""
