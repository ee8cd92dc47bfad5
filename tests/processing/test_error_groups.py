"""Failures are alike when their errors differ in numbers, ids and quoted values alone."""

import random
from collections.abc import Callable
from importlib.util import module_from_spec, spec_from_file_location
from ipaddress import IPv6Address
from pathlib import Path
from time import process_time

import pytest

from app.processing import error_groups
from app.processing.error_groups import find_error_group, find_pattern


@pytest.mark.parametrize(
    ("message", "pattern"),
    [
        ("Timeout after 30000 ms", "Timeout after … ms"),
        ("Order 4711 has no 'email'", "Order … has no 'email'"),
        ("The model's answer can't be read", "The model's answer can't be read"),
        ('column "a b" and `c-1` and «ü.2»', "column … and … and …"),
        ("HTTP 429, retry in 1.5s", "HTTP …, retry in …s"),
        ("user 3f2b8c1e-5d6f-4a7b-8c9d-0e1f2a3b4c5d", "user …"),
        ("key fp_9aZk31 of ana@example.org", "key … of …"),
        ("commit 9f86d081884c7d65 at 0xFFab", "commit … at …"),
        ("run cm3x8k2p90001 failed\n  in  step 2", "run … failed in step …"),
        ("at 2026-11-24T10:42:07.120Z", "at …"),
        ("No space left on device (28)", "No space left on device (…)"),
        ("paid 12345678.90 of 1,234.5", "paid … of …"),
        # Ids without a digit, and with few signs.
        ("block DEADBEEFDEADBEEF of feedfacecafebeef", "block … of …"),
        ("token kPqRsTuvWxYz and 'kPqRsTuvWxYz'", "token … and …"),
        ("lead a1b2c, 7x9y; took 1h30m", "lead …, …; took …"),
        ("to José@x.org and müller@bücher.example", "to … and …"),
        ("to Jose\N{COMBINING ACUTE ACCENT}@x.org", "to …"),
        ("طلب ٤٧١١ و ४२ and 12", "طلب … و … and …"),
        # Addresses of the network and of devices.
        ("connect ETIMEDOUT 2a00:1450:4001:82f::200e:443", "connect ETIMEDOUT …"),
        ("connect to 2a00:1:2:3:4:5:6:7:443 failed", "connect to … failed"),
        ("dial [2001:db8::1]:443: refused", "dial […]:…: refused"),
        ("fe80::1: timed out, ::1, ::ffff:10.0.0.7:80.", "…: timed out, …, …."),
        ("addr:2A00:1450::200E, 2001:db8::/32", "addr:…, …/…"),
        ("device 00:1A:2B:3C:4D:5E gone", "device … gone"),
        ("mac=aa-bb-cc-dd-ee-ff, mac:001a.2b3c.4d5e", "mac=…, mac:…"),
        # Ids of hex digits with dashes.
        ("order 17 id 0000a3f1-dead", "order … id …"),
        ("id 00001234-beef, deadbeef-1234, 12345678-1234", "id …, …, …"),
        ("id deadbeef-dead; a3f1-0000-BEEF-1234", "id …; …"),
        # What looks like them.
        ("at 10:00:01 db.local:5432", "at … db.local:…"),
        ("connect 10.0.0.7:443", "connect …"),
        ("std::vector::at: 7 >= 5", "std::vector::at: … >= …"),
        ("std::bad_alloc, a::b, Face::add, ::abc", "std::bad_alloc, a::b, Face::add, ::abc"),
        ("core::fmt::Error at src/lib.rs:10:5", "core::fmt::Error at src/lib.rs:…"),
        ("a dead-beef facade, well-added", "a dead-beef facade, well-added"),
        ("ec2::Client, e2e::failed", "ec…::Client, e…e::failed"),
        # Names, which tell one error from another.
        ("Field 'email' is missing", "Field 'email' is missing"),
        ("no column `first_name` in “order.lines”", "no column `first_name` in “order.lines”"),
        ("header 'Content-Type' of 'Größe'", "header 'Content-Type' of 'Größe'"),
        ("lead 'Ana Example' of ''", "lead … of …"),
        (f"value '{'x' * 31}' or 'a@x.org'", "value … or …"),
        ("NullPointerException in getUserById", "NullPointerException in getUserById"),
        ("JSONDecodeError, XMLHttpRequest", "JSONDecodeError, XMLHttpRequest"),
        ("OAuthTokenRefreshError isDNSLookupOnAWS", "OAuthTokenRefreshError isDNSLookupOnAWS"),
        ("ECONNREFUSED by b2b, k8s and i18n", "ECONNREFUSED by b…b, k…s and i…n"),
        ("the facade was effaced", "the facade was effaced"),
        ("", ""),
    ],
)
def test_what_changes_is_taken_out(message: str, pattern: str) -> None:
    assert find_pattern(message) == pattern


def test_alike_are_those_with_the_same_type_and_pattern() -> None:
    one = find_error_group("HTTPError", "429 for order 17")
    assert one is not None and len(one) == 16
    assert find_error_group("HTTPError", "503 for order 99,000") == one
    assert find_error_group("httperror", "429 For Order 1") == one
    assert find_error_group("OSError", "429 for order 17") != one
    assert find_error_group("HTTPError", "429 for invoice 17") != one
    assert find_error_group("KeyError", "'email'") != find_error_group("KeyError", "'phone'")
    assert find_error_group(None, None) is None
    assert find_error_group(None, "") is None


@pytest.mark.parametrize(
    "hostile",
    ["'" * 99_999, "aB" * 50_000, "'a-" * 9_999, "a1" * 50_000, "-1." * 9_999, "\ud800", "\0"],
)
def test_any_text_has_a_group(hostile: str) -> None:
    group = find_error_group(hostile, hostile)
    assert group is not None and set(group) <= set("0123456789abcdef")


def _address(drawn: random.Random) -> str:
    """Of those that are handed out, with some groups of nothing, in one of the ways to write it."""
    groups = [drawn.randrange(0x2000, 0x4000)]
    groups += [drawn.choice((0, drawn.getrandbits(16))) for _ in range(7)]
    address = IPv6Address(sum(group << 16 * (7 - at) for at, group in enumerate(groups)))
    text = drawn.choice((address.compressed, address.exploded))
    return drawn.choice((text, text.upper()))


def _digits(drawn: random.Random, count: int) -> str:
    """Also such as have only letters, or only digits."""
    return "".join(
        drawn.choices(drawn.choice(("0123456789abcdef", "abcdef", "0123456789")), k=count)
    )


def _device(drawn: random.Random) -> str:
    return drawn.choice(":-").join(_digits(drawn, 2) for _ in range(6))


@pytest.mark.parametrize(
    ("draw", "message"),
    [
        (_address, "no route to {} from the host"),
        (_address, "connect ETIMEDOUT {}:443"),
        (_address, "dial [{}]:443: refused"),
        (_device, "device {} gone"),
        (lambda drawn: f"{_digits(drawn, 8)}-{_digits(drawn, 4)}", "order 17 id {}"),
        (lambda drawn: "-".join(_digits(drawn, n) for n in (8, 4, 4, 4, 12)), "no user {}."),
    ],
)
def test_a_thousand_ids_make_one_group(draw: Callable[[random.Random], str], message: str) -> None:
    drawn = random.Random(7)
    patterns = {find_pattern(message.format(draw(drawn))) for _ in range(1_000)}
    assert len(patterns) == 1


@pytest.mark.parametrize(
    "piece",
    ["a:", "1:", "::", "a::", "1::1:", "ab:cd:", "00-", "abcd-", "dead.", "abcdef01-", "1-a", "f"],
)
def test_the_time_grows_with_the_text_alone(piece: str) -> None:
    for message in (piece * 999, (piece * 999)[:999] + "g"):
        began = process_time()
        for _ in range(20):
            find_pattern(message)
        assert process_time() - began < 1  # Of 1,000 characters, 50 ms each.


def test_the_migration_has_the_same_rules() -> None:
    """It has a copy: what it does must not change with the rules that are to come."""
    path = Path(__file__).parents[2] / "migrations/versions/0012_error_groups.py"
    spec = spec_from_file_location("error_groups_0012", path)
    assert spec is not None and spec.loader is not None
    migration = module_from_spec(spec)
    spec.loader.exec_module(migration)
    assert migration.CHANGING.pattern == error_groups._CHANGING.pattern
    for message in (
        "Order 4711 of 'Ana' at fe80::1",
        "isDNSLookupOnAWS kPqRsTuvWxYz",
        "no 'email'",
    ):
        assert migration._error_group("E", message) == find_error_group("E", message)
