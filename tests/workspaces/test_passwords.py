"""Hashes of passwords: of which kind, and how many at once."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from argon2 import PasswordHasher
from flask import Flask

from app.workspaces import passwords
from app.workspaces.passwords import AT_ONCE, hash_password, is_right
from tests.factories import PASSWORD

pytestmark = pytest.mark.once


def test_the_kept_hash_is_argon2id_and_salted(app: Flask) -> None:
    one, other = hash_password(PASSWORD), hash_password(PASSWORD)
    assert one.startswith("$argon2id$") and one != other
    assert is_right(PASSWORD, one) and not is_right(PASSWORD + " ", one)
    assert not is_right(PASSWORD, None) and not is_right(PASSWORD, "no hash at all")


def test_what_the_server_uses_is_worth_its_name() -> None:
    """The first recommendation of RFC 9106 for machines with little memory, or more."""
    hasher = PasswordHasher()
    assert hasher.type.name == "ID"
    assert hasher.memory_cost >= 64 * 1024 and hasher.time_cost >= 3


def test_many_passwords_at_once_wait_for_their_turn(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock, going_on, most = threading.Lock(), 0, 0

    def verify(password_hash: str, password: str) -> bool:
        nonlocal going_on, most
        with lock:
            going_on += 1
            most = max(most, going_on)
        time.sleep(0.01)
        with lock:
            going_on -= 1
        return True

    def act(_: int) -> bool:
        with app.app_context():
            return is_right(PASSWORD, "x")

    monkeypatch.setattr(passwords, "_verify", verify)
    with ThreadPoolExecutor(12) as pool:
        assert all(pool.map(act, range(24)))
    assert most == AT_ONCE
