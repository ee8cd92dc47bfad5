"""Names that people give: one line, without signs that hide or turn round what stands beside."""

_JOINERS = dict.fromkeys((0x200C, 0x200D))
"""Between letters of some scripts, and within some emoji."""


class UnfitNameError(ValueError):
    """Why a text can't be a name, in words for the person."""


def clean_label(text: str, most: int) -> str:
    """The text without spare white space; raises UnfitNameError where it can't be a name."""
    name = " ".join(text.split())
    if not name or len(name) > most:
        raise UnfitNameError(f"Enter a name of 1 to {most} characters.")
    odd = next((sign for sign in name.translate(_JOINERS) if not sign.isprintable()), None)
    if odd is not None:
        sign = f"U+{ord(odd):04X}"
        raise UnfitNameError(f"The name holds a sign that can't be seen ({sign}). Leave it out.")
    if not name.translate(_JOINERS).strip():
        raise UnfitNameError(f"Enter a name of 1 to {most} characters.")
    return name
