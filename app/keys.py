"""The form of an API key: made, checked for typing errors, hashed, and masked in what we keep."""

import hmac
import re
import secrets
import string
import zlib
from functools import lru_cache

_ALPHABET = string.digits + string.ascii_uppercase + string.ascii_lowercase
_RANDOM_LENGTH = 30
_CHECKSUM_LENGTH = 6
PREFIX_LENGTH = 11
"""Characters of a key that are kept and shown: `fp_` and eight more."""

KEY_PATTERN = re.compile(r"fp_[0-9A-Za-z]{36}")
# What is masked may be cut: the last characters are a checksum that anybody can work out again.
_SECRET = re.compile(r"(fp_[0-9A-Za-z]{8})([0-9A-Za-z]{8,})")
_SECRET_BYTES = re.compile(rb"(fp_[0-9A-Za-z]{8})([0-9A-Za-z]{8,})")


def make_key() -> str:
    """`fp_`, 30 random base62 characters (178 bits), and their CRC-32 in 6 base62 characters."""
    body = "fp_" + "".join(secrets.choice(_ALPHABET) for _ in range(_RANDOM_LENGTH))
    return body + _checksum(body)


def _checksum(body: str) -> str:
    number = zlib.crc32(body.encode("ascii"))
    digits = []
    for _ in range(_CHECKSUM_LENGTH):
        number, digit = divmod(number, len(_ALPHABET))
        digits.append(_ALPHABET[digit])
    return "".join(reversed(digits))


def has_key_form(key: str) -> bool:
    """Whether it has a key's prefix, length and characters."""
    return KEY_PATTERN.fullmatch(key) is not None


def is_well_formed(key: str) -> bool:
    """Whether the checksum fits too: a cut or mistyped key is told from an unknown one."""
    return has_key_form(key) and _checksum(key[:-_CHECKSUM_LENGTH]) == key[-_CHECKSUM_LENGTH:]


def hash_key(key: str, secret: bytes) -> str:
    """HMAC-SHA-256 in hex: quick, since keys are random, and useless without the secret."""
    mac = _keyed(secret).copy()
    mac.update(key.encode("utf-8", "surrogateescape"))
    return mac.hexdigest()


@lru_cache(maxsize=4)
def _keyed(secret: bytes) -> hmac.HMAC:
    """Half done: the digest is looked up and keyed once, which is most of the work."""
    return hmac.new(secret, digestmod="sha256")


def mask_keys(text: str) -> str:
    """The text with every key's random part starred out, the length unchanged."""
    if "fp_" not in text:
        return text
    return _SECRET.sub(lambda match: match[1] + "*" * len(match[2]), text)


def mask_keys_in_bytes(raw: bytes) -> bytes:
    """As `mask_keys`, for a body that is otherwise kept byte by byte."""
    if b"fp_" not in raw:
        return raw
    return _SECRET_BYTES.sub(lambda match: match[1] + b"*" * len(match[2]), raw)
