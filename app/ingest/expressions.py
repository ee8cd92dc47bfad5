"""Tells an expression that was never evaluated, and what is left of one that found nothing."""

import re
import string

_NODES = "json|now|today|node|input|execution|workflow|vars|env|item"
_EXPRESSION_TEXT = rf"=?\s*\{{\{{.*\}}\}}|\$\{{.*\}}|=?\s*\$(?:{_NODES})\b.*|<%.*%>"
_PLACEHOLDER_TEXT = (
    r"undefined|null|none|nan|nil|invalid date(?:time)?|\[(?:object object|undefined|null)\]"
)
_EXPRESSION = re.compile(rf"\s*(?:{_EXPRESSION_TEXT})\s*", re.DOTALL)
_PLACEHOLDER = re.compile(rf"\s*(?:{_PLACEHOLDER_TEXT})\s*", re.IGNORECASE)
_UNRESOLVED = re.compile(
    rf"\s*(?:{_EXPRESSION_TEXT}|{_PLACEHOLDER_TEXT})\s*", re.DOTALL | re.IGNORECASE
)

_FIRST_OF_UNRESOLVED = "={$<[uUnNiI"
_FIRST_OF_PLAIN = frozenset(string.ascii_letters + string.digits + "-_") - {*_FIRST_OF_UNRESOLVED}


def is_expression(text: str) -> bool:
    """Whether the whole text is an expression, such as `{{ $json.id }}` or `={{ $now }}`."""
    return _EXPRESSION.fullmatch(text) is not None


def is_placeholder(text: str) -> bool:
    """Whether the text is a word that stands for no value, such as `undefined`."""
    return _PLACEHOLDER.fullmatch(text) is not None


def is_plain(text: str) -> bool:
    """Whether its first character alone tells that a text is neither unresolved nor blank."""
    return text[:1] in _FIRST_OF_PLAIN


def is_unresolved(text: str) -> bool:
    """Whether the text is either; its first character tells of most texts that they are not."""
    return text.lstrip()[:1] in _FIRST_OF_UNRESOLVED and _UNRESOLVED.fullmatch(text) is not None
