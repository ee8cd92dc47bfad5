"""What can be a name."""

import pytest

from app.workspaces.names import UnfitNameError, clean_label

FAMILY = "\N{WOMAN}\u200d\N{WOMAN}\u200d\N{GIRL} familie"


@pytest.mark.parametrize("name", ["a", " Lead  enrichment ", FAMILY])
def test_names_keep_their_signs_and_lose_spare_blanks(name: str) -> None:
    assert clean_label(name, 120) == " ".join(name.split())


@pytest.mark.parametrize("name", ["", "  ", "a" * 121, "a\0b", "a\u202eb", "a\ab", "\u200d"])
def test_what_hides_or_turns_round_is_refused(name: str) -> None:
    with pytest.raises(UnfitNameError):
        clean_label(name, 120)


def test_the_sign_is_named() -> None:
    with pytest.raises(UnfitNameError, match=r"U\+202E"):
        clean_label("a\u202eb", 120)
