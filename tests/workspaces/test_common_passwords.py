"""Passwords that others guess first are refused, and sentences are not."""

import tracemalloc

import pytest

from app.workspaces.common_passwords import find_weakness
from app.workspaces.passwords import MIN_LENGTH, WeakPasswordError, hash_password
from tests.factories import PASSWORD

NAMES = ("ana.lima@example.org", "Ana Lima", "Acme GmbH")
COMMON = [
    *("password1234", "Password2024!", "PASSWORD PASSWORD", "P4ssw0rd!P4ssw0rd!", "!!sunshine!!42"),
    *("iloveyou12345", "letmein-letmein", "monkeymonkey12", "trustno1trustno1", "Administrator1"),
    *(
        "Passwort12345",
        "пароль123456789",
        "contraseña123",
        "ｐａｓｓｗｏｒｄ２０２４",
    ),
]
WAYS = [
    *("123456789012", "qwertyuiop123", "1qaz2wsx3edc", "abcdefghijkl", "zyxwvutsrqpo"),
    *(
        "aaaaaaaaaaaa",
        "abcabcabcabc",
        "ababababababab!",
        "q1w2e3r4t5y6",
        "Qwertz123456",
        "!@#$%^&*()12",
    ),
]
OF_NAMES = [
    *(
        "ana.lima@example.org",
        "Ana-Lima-2026",
        "example-1984!",
        "FlowPulse-2026",
        "acme gmbh 2026!",
    ),
    "lima4flowpulse",
]
GOOD = [
    *(PASSWORD, "correct horse battery staple", "x7Kp!mQ2vR9z", "Lima is where the llamas sleep"),
    *("my password is a sentence", "Blau-Kiesel-Tango", "短い文でもよいパスワードです"),
]


@pytest.mark.parametrize("password", COMMON)
def test_a_common_password_is_refused_however_it_is_dressed(password: str) -> None:
    assert "a common password" in (find_weakness(password, NAMES) or "")
    with pytest.raises(WeakPasswordError, match="common password"):
        hash_password(password, NAMES)


@pytest.mark.parametrize("password", WAYS)
def test_a_way_over_the_keyboard_is_refused(password: str) -> None:
    assert "follows the keyboard" in (find_weakness(password) or "")


@pytest.mark.parametrize("password", OF_NAMES)
def test_a_name_with_a_little_added_is_refused(password: str) -> None:
    assert "a name that others know" in (find_weakness(password, NAMES) or "")


@pytest.mark.parametrize("password", GOOD)
def test_a_sentence_or_chance_is_taken(password: str) -> None:
    assert len(password) >= MIN_LENGTH
    assert find_weakness(password, NAMES) is None


def test_the_list_stays_out_of_memory() -> None:
    find_weakness(PASSWORD)
    tracemalloc.start()
    find_weakness(PASSWORD)
    left, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert left < 100_000
