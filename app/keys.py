"""The form of an API key: made, checked for typing errors, hashed, and masked in what we keep."""

import hmac
import re
import secrets
import string
import zlib
from functools import lru_cache
from urllib.parse import quote, unquote
from uuid import uuid4

from app.address_secrets import KEPT, looks_random

_ALPHABET = string.digits + string.ascii_uppercase + string.ascii_lowercase
_RANDOM_LENGTH = 30
_CHECKSUM_LENGTH = 6
PREFIX_LENGTH = 11
"""Characters of a key that are kept and shown: `fp_` and eight more."""
ADDRESS_PREFIX_LENGTH = KEPT
"""The same for the secret part of an address."""

_LENGTH = 3 + _RANDOM_LENGTH + _CHECKSUM_LENGTH
KEY_PATTERN = re.compile(r"fp_[0-9A-Za-z]{36}")
_SHORTEST_CUT = 20
_UUID = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}", re.IGNORECASE)
_CANDIDATE = re.compile(rf"fp_[0-9A-Za-z]{{{_SHORTEST_CUT},}}")
_ENCODED = re.compile(r"(?:%[0-9A-Fa-f]{2}|[0-9A-Za-z_]){22,}")


def make_key() -> str:
    """`fp_`, 30 random base62 characters (178 bits), and their CRC-32 in 6 base62 characters."""
    body = "fp_" + "".join(secrets.choice(_ALPHABET) for _ in range(_RANDOM_LENGTH))
    return body + _checksum(body)


def make_address(*, is_of_one: bool) -> str:
    """The secret part of an address that reports runs: of one workflow a random UUID (122 bits,
    RFC 9562), of all of them 22 characters of base64 (128 bits), which a slug follows, and which
    nobody takes for one."""
    if is_of_one:
        return str(uuid4())
    secret = secrets.token_urlsafe(16)
    while not looks_random(secret):
        secret = secrets.token_urlsafe(16)
    return secret


def fold_address(secret: str) -> str:
    """The one form of a UUID, whose letters may be written in either case; others stay."""
    return secret.lower() if _UUID.fullmatch(secret) else secret


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


def mark_secret(secret: bytes) -> str:
    """What tells whether two machines have the same secret, and nothing of the secret itself."""
    return hmac.digest(secret, b"which secret key this is", "sha256").hex()[:32]


@lru_cache(maxsize=4)
def _keyed(secret: bytes) -> hmac.HMAC:
    """Half done: the digest is looked up and keyed once, which is most of the work."""
    return hmac.new(secret, digestmod="sha256")


def is_secret(text: str) -> bool:
    """Whether a text that begins with `fp_` is a key, a mistyped one, or most of one.

    A key that lost its end is one still: the last characters are a checksum that anybody can work
    out again. What has no letters of both cases was never made by `make_key`; ids of other systems
    look like that.
    """
    return text[3:].lower() != text[3:] != text[3:].upper()


def mask_keys(text: str) -> str:
    """The text with every key starred out but for its prefix, the length unchanged."""
    return _CANDIDATE.sub(_star_out, text) if "fp_" in text else text


def mask_whole_keys(text: str) -> str:
    """The same for whole keys alone: whatever else begins with `fp_` may tell two things apart."""
    if "fp_" not in text:
        return text
    return _CANDIDATE.sub(lambda found: _star_out(found) if _is_whole(found[0]) else found[0], text)


def mask_keys_in_address(address: str) -> str:
    """As `mask_keys`, also where signs of a key are written as `%5F` and the like."""
    if "%" not in address:
        return mask_keys(address)
    return mask_keys(_ENCODED.sub(_star_out_encoded, address))


def _star_out(found: re.Match[str]) -> str:
    return _star(found[0])


def _star_out_encoded(found: re.Match[str]) -> str:
    plain = unquote(found[0])
    masked = mask_keys(plain)
    return found[0] if masked == plain else quote(masked, safe="*")


def _star(text: str) -> str:
    if not is_secret(text):
        return text
    return text[:PREFIX_LENGTH] + "*" * (len(text) - PREFIX_LENGTH)


def _is_whole(text: str) -> bool:
    return len(text) >= _LENGTH and is_well_formed(text[:_LENGTH])
