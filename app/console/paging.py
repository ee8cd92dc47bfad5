"""Which page of a list the address asks for."""

from flask import request


def read_page() -> int:
    """The number of the page, from 1."""
    text = request.args.get("page", "")
    is_number = text.isascii() and text.isdigit() and len(text) < 6
    return max(1, int(text)) if is_number else 1
