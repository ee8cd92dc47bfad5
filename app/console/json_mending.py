"""Mends the slips in broken JSON that can be mended at their place, and says what was changed.

Each rule takes the text and the place that the reader names, and gives the text after one change
and that change in words, or None. What stands elsewhere in the text stays as it was typed.
"""

import json
import re
from collections.abc import Callable
from urllib.parse import parse_qsl

from app.json_tokens import scan

_SMART = "“”„‟«»‘’‚‛"
_WORD = re.compile(r"[^\W\d][\w.$-]*")
_BARE = re.compile(r"[^,}\]\"\r\n]+")
_QUOTED = {sign: re.compile(rf"{sign}((?:[^{sign}\\\n]|\\.)*){sign}") for sign in "'`"}
_SMART_QUOTED = re.compile(rf'[{_SMART}]([^\n]*?)[{_SMART}"](?=\s*[,:}}\]])')
_CLOSING_QUOTE = re.compile(r'(?<!\\)"(?=\s*(?:[,}\]]|$))')
_CONTROL = re.compile(r"\r\n|[\x00-\x1f]")
_COMMENT = re.compile(r"//[^\n]*|#[^\n]*|/\*.*?(?:\*/|\Z)|<!--.*?(?:-->|\Z)", re.DOTALL)
_FENCE = re.compile(r"\s*```\w*\s*\n?(.*?)\s*(?:```.*)?\Z", re.DOTALL)
_EXPRESSION = re.compile(r"=?\s*(?:\{\{.*?\}\}|\$\{.*?\}|\{%.*?%\}|<%.*?%>|\$[\w.$()\[\]'\"]+)")
_GROUPED = re.compile(r"[+-]?\d{1,3}(?:['_]\d{3})+|[+-]?\d+(?:\.\d*)?|[+-]?\.\d+")
_MORE = "What follows its end is left out"

Mended = tuple[str, str] | None


def _splice(text: str, start: int, end: int, new: str) -> str:
    return text[:start] + new + text[end:]


def _drop_comma(text: str, at: int) -> Mended:
    if text[at : at + 1] != ",":
        return None
    return _splice(text, at, at + 1, ""), "The comma too many is gone."


def _add_comma(text: str, at: int) -> Mended:
    return _splice(text, at, at, ","), "The missing comma is there."


def _quote_plainly(text: str, at: int) -> Mended:
    found = _QUOTED.get(text[at : at + 1], _BARE).match(text, at)
    if not found or not found.re.groups:
        return None
    inside = found[1].replace("\\" + text[at], text[at]).replace('"', '\\"')
    return _splice(text, at, found.end(), f'"{inside}"'), "Single quotes became double quotes."


def _straighten(text: str, at: int) -> Mended:
    words = "Typographic quotes became plain ones."
    if text[at : at + 1] not in _SMART:
        return None
    found = _SMART_QUOTED.match(text, at)
    if found and text[:at].rstrip()[-1:] in ("{", ",", ":", "["):
        inside = found[1].replace('"', '\\"')
        return _splice(text, at, found.end(), f'"{inside}"'), words
    return _splice(text, at, at + 1, '"'), words


def _quote_name(text: str, at: int) -> Mended:
    found = _WORD.match(text, at)
    if not found or not text[found.end() :].lstrip().startswith(":"):
        return None
    return _splice(text, at, found.end(), f'"{found[0]}"'), f"The name {found[0]} has its quotes."


def _quote_value(text: str, at: int) -> Mended:
    found = _BARE.match(text, at)
    bare = found[0].rstrip() if found else ""
    if not bare:
        return None
    quoted = json.dumps(bare, ensure_ascii=False)
    return _splice(text, at, at + len(bare), quoted), f"{bare[:40]} has its quotes."


def _replace_word(text: str, at: int) -> Mended:
    found = re.compile(r"[+-]?\w+").match(text, at)
    if not found:
        return None
    word = found[0]
    value = {"true": "true", "false": "false"}.get(word.lower(), "null")
    return _splice(text, at, found.end(), value), f"{word[:40]} became {value}."


def _escape_controls(text: str, at: int) -> Mended:
    """From the first raw one on, to where the text ends."""
    found = _CLOSING_QUOTE.search(text, at)
    if not found:
        return None
    inside = _CONTROL.sub(
        lambda sign: "\\n" if sign[0] == "\r\n" else json.dumps(sign[0])[1:-1],
        text[at : found.start()],
    )
    words = "Raw line breaks and control characters are written as escapes."
    return _splice(text, at, found.start(), inside), words


def _double_backslash(text: str, at: int) -> Mended:
    return _splice(text, at, at, "\\"), f"{text[at : at + 2]} is written with two backslashes."


def _drop_comment(text: str, at: int) -> Mended:
    found = _COMMENT.match(text, at)
    return (_splice(text, at, found.end(), ""), "The comment is gone.") if found else None


def _take_from_fence(text: str, at: int) -> Mended:
    found = _FENCE.fullmatch(text)
    return (found[1], "The Markdown fence (```) is gone.") if found else None


def _keep_first(text: str, at: int) -> Mended:
    return text[:at].rstrip(), f"Only the first object is kept. {_MORE}."


def _fill_with_null(text: str, at: int) -> Mended:
    return _splice(text, at, at, "null"), "The value that is missing became null."


def _escape_quote(text: str, at: int) -> Mended:
    if text[at : at + 1] != '"':
        return None
    return _splice(text, at, at, "\\"), "A quote within a text is written as an escape."


def _close_text(text: str, at: int) -> Mended:
    words = "The missing quote at the end of a text is there."
    head = text[:at].rstrip()
    if head.endswith(","):
        return head[:-1] + '",' + text[len(head) :], words
    inside = text[at:].rstrip()
    end = at + len(inside.rstrip("}] \t\r\n"))
    return (_splice(text, end, end, '"'), words) if end > at else None


def _close_all(text: str, at: int) -> Mended:
    """A body that was cut off, closed where it ends."""
    tokens = [token for token in scan(text) if token.kind != "space"]
    if not tokens:
        return None
    open_: list[str] = []
    for token in tokens:
        sign = text[token.start] if token.kind == "punctuation" else ""
        if sign in ("{", "["):
            open_.append({"{": "}", "[": "]"}[sign])
        elif sign and sign in "}]" and open_:
            open_.pop()
    last, kept = tokens[-1], text.rstrip()
    if last.kind == "open":
        kept = text.rstrip("\\") + '"'
    elif kept.endswith(","):
        kept = kept[:-1]
    elif kept.endswith(":"):
        kept += " null"
    added = "".join(reversed(open_))
    return kept + added, "The body was cut off: it is closed where it ends, the rest is lost."


def _write_number(text: str, at: int) -> Mended:
    if text[at : at + 1] == ",":
        return _splice(text, at, at + 1, ""), "The comma within the number is gone."
    found = _BARE.match(text, at)
    bare = found[0].rstrip() if found else ""
    number = _read_number(bare)
    if number is None:
        return None
    return _splice(text, at, at + len(bare), number), f"{bare[:40]} became {number}."


def _read_number(bare: str) -> str | None:
    if re.fullmatch(r"0[xX][\da-fA-F]{1,13}", bare):
        return str(int(bare, 16))
    plain = re.sub(r"\s?ms$", "", bare)
    if not _GROUPED.fullmatch(plain):
        return None
    value = float(plain.replace("'", "").replace("_", ""))
    return str(int(value)) if value.is_integer() else repr(value)


def _unwrap(text: str, at: int) -> Mended:
    """A list with one object in it, or an object that is a text."""
    inner = text.strip()
    if inner.startswith("[") and inner.endswith("]"):
        return inner[1:-1].strip(), "The object stands by itself, without [ ] around it."
    return None


def _drop_object_text(text: str, at: int) -> Mended:
    found = re.compile(r"\[object \w+\]").match(text, at)
    if not found:
        return None
    return _splice(text, at, found.end(), "null"), f"{found[0]} held nothing: it became null."


def _drop_expression(text: str, at: int) -> Mended:
    sign = re.match(r"\s*=+(?=\s*[{\[])", text)
    if sign:
        return text[sign.end() :], "The = before the body is gone."
    found = _EXPRESSION.match(text, at)
    if not found:
        return None
    words = f"The expression {found[0][:40]} had no value: it became null."
    return _splice(text, at, found.end(), "null"), words


def _drop_invisible(text: str, at: int) -> Mended:
    return _splice(text, at, at + 1, " "), "An invisible character is gone."


def _unescape(text: str, at: int) -> Mended:
    return text.replace('\\"', '"'), "The backslashes before the quotes are gone."


def _read_form(text: str, at: int) -> Mended:
    fields = dict(parse_qsl(text.strip(), keep_blank_values=True, max_num_fields=200))
    written = json.dumps(fields, ensure_ascii=False, indent=2)
    return written, "The form fields are written as JSON."


RULES: dict[str, Callable[[str, int], Mended]] = {
    "json_bad_escape": _double_backslash,
    "json_code_fence": _take_from_fence,
    "json_comment": _drop_comment,
    "json_control_character": _escape_controls,
    "json_empty_value": _fill_with_null,
    "json_form_body": _read_form,
    "json_invisible_character": _drop_invisible,
    "json_line_break_in_string": _escape_controls,
    "json_missing_comma": _add_comma,
    "json_not_an_object": _unwrap,
    "json_not_finite": _replace_word,
    "json_number_format": _write_number,
    "json_object_as_text": _drop_object_text,
    "json_over_escaped": _unescape,
    "json_single_quotes": _quote_plainly,
    "json_smart_quotes": _straighten,
    "json_trailing_comma": _drop_comma,
    "json_truncated": _close_all,
    "json_two_values": _keep_first,
    "json_unclosed_string": _close_text,
    "json_undefined": _replace_word,
    "json_unescaped_quote": _escape_quote,
    "json_unevaluated_expression": _drop_expression,
    "json_unquoted_name": _quote_name,
    "json_unquoted_value": _quote_value,
}
"""What mends a slip, by its code."""
