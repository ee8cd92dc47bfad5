"""What the log keeps of a request's texts: all of them, without what could be used."""

from app.address_secrets import mask_addresses
from app.disguised_keys import mask_addresses_in_bytes, mask_all_keys_in_bytes, mask_disguised
from app.keys import mask_keys_in_address

MAX_STORED_BODY = 64 * 1024
_BEYOND = 512
"""Bytes behind what is stored: an address that goes on there is known for one."""


def keep_address(address: str) -> str:
    """Of the request itself."""
    return mask_addresses(mask_disguised(mask_keys_in_address(address)))


def keep_body(raw: bytes) -> bytes:
    masked = mask_all_keys_in_bytes(raw)[: MAX_STORED_BODY + _BEYOND]
    return mask_addresses_in_bytes(masked)[:MAX_STORED_BODY]


def keep_text(text: str | None) -> str | None:
    """Plain keys are masked already where a text was written."""
    return mask_addresses(mask_disguised(text)) if text else text


def keep_id(text: str | None) -> str | None:
    """The same for an id, or for what has some in it, which are not altered for what only may be a
    secret."""
    return mask_addresses(mask_disguised(text), named_alone=True) if text else text
