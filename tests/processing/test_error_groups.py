"""Failures are alike when their errors differ in numbers, ids and quoted values alone."""

import pytest

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
