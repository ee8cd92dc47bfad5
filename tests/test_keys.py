"""The form of API keys."""

import pytest

from app.keys import (
    hash_key,
    is_well_formed,
    make_key,
    mask_keys,
    mask_keys_in_address,
    mask_whole_keys,
)


def test_a_made_key_is_well_formed_and_never_the_same() -> None:
    keys = {make_key() for _ in range(200)}
    assert len(keys) == 200
    assert all(is_well_formed(key) and len(key) == 39 for key in keys)


@pytest.mark.parametrize("position", range(3, 39))
def test_one_mistyped_character_is_told_from_an_unknown_key(position: int) -> None:
    key = make_key()
    other = "A" if key[position] != "A" else "B"
    assert not is_well_formed(key[:position] + other + key[position + 1 :])


@pytest.mark.parametrize("text", ["", "fp_", "nope", "fp_" + "é" * 36, "fp_" + "a" * 35])
def test_a_cut_or_foreign_key_is_malformed(text: str) -> None:
    assert not is_well_formed(text)


def test_the_hash_needs_the_secret_and_takes_any_bytes() -> None:
    key = make_key()
    assert hash_key(key, b"one") != hash_key(key, b"two")
    assert len(hash_key("clé-\udcff", b"one")) == 64


def test_masking_leaves_no_usable_key_and_moves_nothing() -> None:
    key = make_key()
    text = f'{{"a": "{key}", "b": 1}}'
    masked = mask_keys(text)
    assert key not in masked and key[11:] not in masked
    assert len(masked) == len(text) and masked.endswith('", "b": 1}')


@pytest.mark.parametrize("cut", range(1, 17))
def test_a_cut_key_is_masked_too_since_its_checksum_can_be_worked_out(cut: int) -> None:
    key = make_key()[:-cut]
    assert mask_keys(f"key={key}") == "key=" + key[:11] + "*" * (len(key) - 11)


@pytest.mark.parametrize(
    "text", ["fp_20261125aaaaaaaa1", "fp_0123456789abcdef0123456789abcdef", "fp_" + "A1" * 18]
)
def test_ids_of_other_systems_are_left_alone(text: str) -> None:
    assert mask_keys(text) == mask_whole_keys(text) == text


@pytest.mark.parametrize("write", ["{}", "%66p_{tail}", "fp%5f{tail}", "%0Afp_{tail}%20x%41"])
def test_a_key_in_an_address_is_masked_however_it_is_written(write: str) -> None:
    key = make_key()
    masked = mask_keys_in_address("/a%20b?key=" + write.format(key, tail=key[3:]) + "&c=%41")
    assert key[11:] not in masked and key[3:11] in masked
    assert masked.startswith("/a%20b?key=") and masked.endswith("&c=%41")
    assert "\n" not in masked and " " not in masked


def test_among_what_tells_things_apart_only_whole_keys_are_masked() -> None:
    key = make_key()
    assert mask_whole_keys(key[:-1]) == key[:-1]
    assert mask_whole_keys(f"{key} ") == mask_keys(key) + " "
