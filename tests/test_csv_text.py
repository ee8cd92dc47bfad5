"""CSV that no spreadsheet takes for formulas."""

import csv
import io
from datetime import UTC, datetime

import pytest

from app.csv_text import neutralise, write_lines

FORMULAS = (
    "=1+1",
    "+1",
    "-1+1",
    "@SUM(A1)",
    "\t=1",
    "\r=1",
    "\n=1",
    "  =1",
    "\u00a0=1",
    "=cmd|' /C calc'!A0",
    '=HYPERLINK("https://example.org","x")',
    "\uff1d1+1",
    "\uff20x",
    "\0=1",
)
HARMLESS = (
    "",
    "ana@example.org",
    "a = b",
    "1-1",
    "Mozilla/5.0 (X11; Linux x86_64)",
    "'=1",
    "a, b",
    '{"role":"viewer"}',
    "2026-01-01",
    "Zahlungen ü",
)


@pytest.mark.parametrize("text", FORMULAS)
def test_a_formula_becomes_text(text: str) -> None:
    assert neutralise(text).startswith("'")
    assert neutralise(text).replace("'", "") == text.replace("\0", "").replace("'", "")


@pytest.mark.parametrize("text", HARMLESS)
def test_what_is_no_formula_stays_as_it_is(text: str) -> None:
    assert neutralise(text) == text


@pytest.mark.parametrize("sign", [";", "\t", "\n", "\r\n", "; "])
def test_a_formula_hides_behind_no_sign_that_may_part_cells(sign: str) -> None:
    """Where a spreadsheet parts cells by semicolons, our quotation marks don't hold them."""
    assert f"{sign[:1]}'" in neutralise(f"a{sign}=1") or "\n'" in neutralise(f"a{sign}=1")


@pytest.mark.parametrize("text", FORMULAS)
def test_once_is_enough(text: str) -> None:
    assert neutralise(neutralise(text)) == neutralise(text)


def test_a_reader_gets_back_what_was_written() -> None:
    row = ['a "quoted" text', "two\nlines", "a;b,c", "=1"]
    (read,) = csv.reader(io.StringIO(write_lines([row]), newline=""))
    assert read == [*row[:3], "'=1"]


def test_numbers_times_and_nothing() -> None:
    moment = datetime(2026, 1, 15, 9, 31, tzinfo=UTC)
    assert write_lines([[-5, None, moment]]) == '"-5","","2026-01-15T09:31:00.000Z"\r\n'
