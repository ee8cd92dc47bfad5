"""Addresses that are secrets are found in texts, and nothing else is taken for one."""

import time

import pytest

from app.address_secrets import find_address_secrets, looks_random, mask_addresses
from app.disguised_keys import mask_all_keys
from app.keys import make_address
from app.redaction import mask_text

pytestmark = pytest.mark.once
UUID, KEY = "6f0c1d2e-94b7-4f02-a6d9-3e7b1c5f8a20", "fqOOd6-F4MMNuCEnzTU01w"
PUSH, HEX = "Xq2v9LbT7cKmR4sWzP0aYdEhJ6uN8fGi", "c5ff41d0a8e74b0f9d3121fbb8a6e9a1"
TOKEN = "wPq8zR3tLk_7Vb2nXc5mJh9gFd4sAy6uEi1oT0-ZrQB"
OPENING = [
    ("HTTPSConnectionPool(host='h', port=443): Max retries exceeded with url: /ping/{}", UUID),
    ("curl: (22) https://hc-ping.com/{} returned 503", UUID),
    ("GET https://flowpulse.example.org:8443/ping/{}/fail", UUID.upper()),
    ('{{"url": "https:\\/\\/hc-ping.com\\/{}\\/start"}}', UUID),
    ('{{"a": "{{\\"url\\": \\"\\\\\\/ping\\\\\\/{}\\"}}"}}', UUID),
    ("next=https%3A%2F%2Fhc-ping.com%2F{}%2Ffail", UUID),
    ("/api/v1/ping/{}", UUID),
    ("url: /{}/3", UUID),
    ("https://hc-ping.com/{}/nightly-backup", KEY),
    ("https://hc-ping.com/ping/{}/nightly-backup/start", KEY),
    ("https://kuma.example.org/api/push/{}?status=up&msg=OK", PUSH),
    ("https://cronitor.link/p/{}/nightly?state=run", HEX),
    ("Referer: https://flowpulse.example.org/invitation/{}", TOKEN),
    ("https://flowpulse.example.org/sign-in/new-password/{}", TOKEN),
    ("/ping/{} was cut", UUID[:27]),
]
HARMLESS = [
    f'{{"external_execution_id": "{UUID}", "ended_at": "2026-01-15T09:31:00Z"}}',
    f"https://n8n.example.org/workflow/7/executions/{UUID}",
    f"/api/v1/runs/{UUID}",
    f"workflow_slug={UUID}",
    "/api/v1/ping/lead-enrichment-crm-v2/fail",
    "/ping/nightly-billing-import-2024-11-30-001",
    "/ping/sync-db-a-to-db-b-2024/start",
    "https://example.org/lead-enrichment-crm-v2/page",
    "/ping/MyLongWorkflowNameHere",
    "https://medium.example.org/p/some-article-title-of-2024",
    "/api/push/TOKEN?status=up",
    "/ping/UUID, /api/push/TOKEN, /p/KEY/SLUG",
]


@pytest.mark.parametrize(("text", "secret"), OPENING)
def test_it_is_starred_out_but_for_its_beginning(text: str, secret: str) -> None:
    written = text.format(secret)
    starred = text.format(secret[:8] + "*" * (len(secret) - 8))
    assert mask_addresses(written) == mask_all_keys(written) == starred
    assert mask_addresses(starred) == starred
    shown = mask_text(written)
    assert secret[8:] not in shown and f"{secret[:8]}••••••" in shown.replace("*", "•")


@pytest.mark.parametrize("text", HARMLESS)
def test_nothing_else_is(text: str) -> None:
    assert mask_addresses(text) == mask_all_keys(text) == mask_text(text) == text


def test_each_address_that_is_made_is_known_for_one() -> None:
    for _ in range(2_000):
        secret = make_address(is_of_one=False)
        assert looks_random(secret) and list(find_address_secrets(f"/ping/{secret}/slug"))


def test_what_tells_executions_apart_is_not_altered_for_a_uuid_behind_a_host() -> None:
    link = f"https://run.example.org/{UUID}"
    assert mask_addresses(link, named_alone=True) == link != mask_addresses(link)
    assert UUID not in mask_addresses(f"https://run.example.org/ping/{UUID}", named_alone=True)


@pytest.mark.parametrize(
    "piece",
    ["/", "//a", "/ping/", "%2F", "/\\", f"/{UUID}", f"/{KEY}", f"//h/{UUID} ", "/ping/aaaaaaaaa"],
)
def test_no_text_takes_more_than_its_length_tells(piece: str) -> None:
    """64 KB took at most 10 ms; if time grew with the square of it, 1 MB would take hours."""
    began = time.thread_time()
    mask_addresses(piece * (1_000_000 // len(piece)))
    assert time.thread_time() - began < 5
