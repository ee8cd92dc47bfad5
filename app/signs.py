"""Text from outside, with the signs made visible that would hide or turn round what is beside."""

_PICTURES: dict[int, str] = {code: chr(0x2400 + code) for code in range(32)} | {127: "␡"}
_BREAKS = (*range(0x80, 0xA0), 0x2028, 0x2029)
"""The second set of control characters, which terminals obey, and two more line breaks."""
_DIRECTIONS = (0x061C, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A))
_VISIBLE = {code: sign for code, sign in _PICTURES.items() if chr(code) not in "\n\t"} | {
    code: f"⟨U+{code:04X}⟩" for code in (*_BREAKS, *_DIRECTIONS, 0xFEFF)
}


def show_signs(text: str) -> str:
    """The text with control pictures for control characters, and directions by their numbers."""
    return text.replace("\r\n", "\n").translate(_VISIBLE)


def show_signs_in_line(text: str) -> str:
    """The same in one line: line breaks and tabs are pictures, too."""
    return show_signs(text).translate(_PICTURES)
