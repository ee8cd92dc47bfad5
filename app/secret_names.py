"""The registry of names that tell of a secret: of members, headers and parameters of an address."""

import re
from functools import lru_cache

_SECRET = re.compile(
    r"""
    passw(?:or)?d | passwort | passphrase | passcode | secret(?!ar) | credential
    | [cx]srf | api_?key | token | cookie | authori[sz]ation | bearer | recovery_code | backup_code
    | (?:access|account|admin|auth|client|consumer|deploy|encryption|hmac|jwt|licen[cs]e|master
        |private|root|secret|security|service|session|shared|signing|ssh|storage|subscription
        |webhook)_?keys?(?![a-z])
    | (?:card|cc)_?(?:number|num|no)(?![a-z])
    | (?:user|db|my|admin)(?:pwd|pass)(?![a-z])
    | (?<![a-z])(?:auth|jwt|otp|totp|pass|pin|pwd|pw|cvv2?|cvc2?|csc|signature|hmac)(?![a-z])
    """,
    re.VERBOSE,
)
_COUNT = re.compile(
    r"tokens?_(?:budget|cost|count|limit|per|price|rate|type|usage|used)"
    r"|(?:cached|completion|input|max|min|num|output|prompt|reasoning|total)_tokens(?![a-z])"
)
"""Language models count in tokens, and nothing opens with how many there were."""
_COUNTABLE = re.compile(r"tokens(?![a-z])|(?<![a-z])pass(?![a-z])")
_IN_ADDRESS = re.compile(
    r"passw|pwd|signature|auth$|key$|(?<![a-z])(?:key|session|sid|sig)(?![a-z])"
)
_IN_HEADER = re.compile(
    r"auth|passw|pwd|secret|signature|token|cookie|api_?key|credential|csrf|hmac"
)
_NEW_WORD = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])|[^0-9A-Za-z]+")
_LONGEST = 100
"""Characters of a name that are looked at, from its end: where its noun stands."""


@lru_cache(maxsize=4096)
def is_secret_name(name: str) -> bool:
    """Whether a member of JSON, or what is assigned to in a text, is called as secrets are."""
    words = _split_words(name)
    return _SECRET.search(_COUNT.sub("", words)) is not None


@lru_cache(maxsize=4096)
def may_be_count(name: str) -> bool:
    """Whether a number of this name is likely to be how many there were, and no secret."""
    return _COUNTABLE.search(_split_words(name)) is not None


@lru_cache(maxsize=4096)
def is_secret_parameter(name: str) -> bool:
    """The same for a parameter of an address; there, a plain `key` or `sig` opens something."""
    words = _split_words(name)
    return is_secret_name(name) or _IN_ADDRESS.search(words) is not None


def is_secret_header(name: str) -> bool:
    """The same for a header, in any of its spellings: one too many is masked before one too few."""
    return _IN_HEADER.search(_split_words(name)) is not None


def _split_words(name: str) -> str:
    """`accessKey` is two words, as `access-key` is: in lower case, with _ between them."""
    return _NEW_WORD.sub("_", name[-_LONGEST:]).lower()
