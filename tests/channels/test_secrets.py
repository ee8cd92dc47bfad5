"""Secrets are sealed, and starred out wherever the other side quotes them."""

from urllib.parse import quote

import pytest
from cryptography.fernet import Fernet
from flask import Flask

from app.channels.kinds import KINDS
from app.channels.masking import mask, secrets_of
from app.channels.sealing import UnreadableError, seal, unseal

SECRET = "s3cr/et part+of=a key"


def test_what_is_sealed_opens_with_the_same_secret_key_alone(app: Flask) -> None:
    sealed = seal({"token": SECRET})
    assert SECRET not in sealed and seal({"token": SECRET}) != sealed
    assert unseal(sealed) == {"token": SECRET}
    for wrong in (sealed[:-2], "", Fernet(Fernet.generate_key()).encrypt(b"{}").decode()):
        with pytest.raises(UnreadableError):
            unseal(wrong)
    app.config["FLOWPULSE_KEY_SECRET"] = b"another secret key, quite long enough"
    with pytest.raises(UnreadableError):
        unseal(sealed)


def test_what_a_former_secret_key_has_sealed_opens_and_is_sealed_with_the_one_of_now(
    app: Flask,
) -> None:
    former = app.config["FLOWPULSE_KEY_SECRET"]
    sealed = seal({"token": SECRET})
    app.config["FLOWPULSE_KEY_SECRET"] = b"another secret key, quite long enough"
    app.config["FLOWPULSE_OLD_SECRET_KEYS"] = ["one before that", former.decode()]
    assert unseal(sealed) == {"token": SECRET}
    sealed = seal({"token": SECRET})
    app.config["FLOWPULSE_OLD_SECRET_KEYS"] = []
    assert unseal(sealed) == {"token": SECRET}


def test_a_secret_is_starred_out_however_it_is_written() -> None:
    said = f"bad token {SECRET}, {quote(SECRET, safe='')} and {SECRET}"
    assert mask(said, [SECRET]) == "bad token •••, ••• and •••"


def test_of_an_address_each_part_of_its_path_is_secret() -> None:
    url = "https://hooks.slack.com/services/T0AAAAA/B0BBBBB/cccccc?sig=dddddd"
    secrets = secrets_of("slack", {"url": url})
    said = "hooks.slack.com has no T0AAAAA, cccccc, dddddd: /services/T0AAAAA/B0BBBBB/cccccc"
    shown = mask(said, secrets)
    assert not any(part in shown for part in ("T0AAAAA", "B0BBBBB", "cccccc", "dddddd"))
    assert "hooks.slack.com has no" in shown


def test_of_an_apprise_url_the_host_may_be_the_token() -> None:
    secrets = secrets_of("apprise", {"url": "pbul://o.tokentokentoken/device"})
    assert mask("no such o.tokentokentoken", secrets) == "no such •••"


def test_short_parts_star_out_nothing_and_what_can_not_be_stored_goes() -> None:
    assert mask("abc\0def", ["abc", ""]) == "abc�def"


def test_an_unknown_kind_has_all_its_settings_secret() -> None:
    assert "hidden-value" in secrets_of("gone", {"token": "hidden-value"})
    assert "gone" not in KINDS
