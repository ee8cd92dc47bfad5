"""What some settings may be: each reads a text, and raises ValueError with what it must be."""

import re


def switch(text: str) -> bool:
    if text not in {"0", "1"}:
        raise ValueError("must be 0 or 1")
    return text == "1"


def role(text: str) -> str:
    if text not in {"viewer", "member", "admin", "owner", "nobody"}:
        raise ValueError("must be viewer, member, admin, owner or nobody")
    return text


def time_of_day(text: str) -> str:
    if not re.fullmatch(r"([01]\d|2[0-3]):[0-5]\d", text, re.ASCII):
        raise ValueError("must be a time of day, UTC, such as 03:15")
    return text


def log_format(text: str) -> str:
    if text not in {"text", "json"}:
        raise ValueError("must be text or json")
    return text


def token(text: str) -> str:
    if text and not (len(text) >= 16 and text.isascii() and text.isprintable() and " " not in text):
        raise ValueError("must be at least 16 letters, digits and signs, without spaces")
    return text


def port(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 0 < int(text) < 65_536):
        raise ValueError("must be a whole number from 1 to 65535")
    return int(text)


def mail_security(text: str) -> str:
    if text not in {"starttls", "tls", "none"}:
        raise ValueError("must be starttls, tls or none")
    return text


def mail_address(text: str) -> str:
    name, _, domain = text.partition("@")
    if text and not (name and domain and text.isascii() and text.isprintable() and " " not in text):
        raise ValueError("must be an e-mail address, such as flowpulse@example.org")
    return text


def public_url(text: str) -> str:
    if text and not re.fullmatch(r"https?://[^/?#@\s]+(/[^?#\s]*)?", text):
        raise ValueError("must be http:// or https:// with a host, and maybe a path")
    return text.rstrip("/")
