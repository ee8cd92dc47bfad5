"""The rules that tell typical slips in JSON apart, from the most particular to the most general.

Each takes the place where the JSON decoder stopped and gives (code, message, index of the
character to show), or None where it is another slip.
"""

import re
import unicodedata
from collections.abc import Callable

from app.ingest.places import WINDOW, Place

_SMART_QUOTES = "“”„‟‘’‚‛«»"
_NEXT_MEMBER = re.compile(r'"?[\w .-]{1,60}"\s*:')
_WORD = re.compile(r"[^\W\d][\w.$-]*")
_BARE = re.compile(r'[^,}\]"\r\n]+')
_NUMBER_LIKE = re.compile(
    r"[+-]?(?:0[xX][\da-fA-F]*|[\d._']*\d[\d._']*\.?(?:[eE][+-]?\d*)?)"
    r"\s?(?:ms|s|sec|secs|seconds|m|min|h|%|€|\$)?"
)
_NO_WORDS = {"nan", "inf", "infinity"}
_KNOWN_WORDS = ("true", "false", "null")
_FOREIGN_WORDS = {"undefined", "none", "true", "false", "null", "nil"}

Found = tuple[str, str, int] | None


def _empty(place: Place) -> Found:
    if place.text.strip():
        return None
    return "json_empty", "The body is empty.", 0


def _other_format(place: Place) -> Found:
    """A body that was never meant to be JSON, told by its beginning."""
    text = place.text.lstrip()
    at = len(place.text) - len(text)
    if text.startswith("--") and "content-disposition" in text[:WINDOW].lower():
        return "json_multipart", "The body is a multipart form, not JSON.", at
    if text.startswith("<"):
        return "json_markup", "The body is XML or HTML, not JSON.", at
    if text.startswith("```"):
        return "json_code_fence", "The body begins with ```, a mark of Markdown.", at
    if re.match(r"=+\s*[{\[]", text):
        message = "The body begins with =, the sign of an expression that was not evaluated."
        return "json_unevaluated_expression", message, at
    if re.match(r"[\w.%\-\[\]]+=", text):
        return "json_form_body", "The body has form fields (name=value), not JSON.", at
    return None


def _inside_string(place: Place) -> Found:
    if place.error.startswith("Invalid control character"):
        return _control_character(place)
    if place.error.startswith("Invalid \\"):
        at = place.text.rfind("\\", 0, place.at + 1)
        escape = place.text[at : at + 2]
        return "json_bad_escape", f"{escape} is no escape that JSON knows.", at
    if place.error.startswith("Unterminated string"):
        if place.text.rstrip().endswith(("}", "]")) and "\n" not in place.rest.rstrip():
            return "json_unclosed_string", f"A closing quote is missing{place.name}.", place.at
        return "json_truncated", "The body ends in the middle of a text.", len(place.text)
    return None


def _control_character(place: Place) -> Found:
    started = place.text.rfind('"', 0, place.at)
    inside = place.text[started + 1 : place.at].rstrip()
    if place.here not in "\r\n":
        kind = "tab" if place.here == "\t" else f"control character U+{ord(place.here):04X}"
        return "json_control_character", f"The text{place.name} holds a raw {kind}.", place.at
    if inside.endswith((",", "{")) and _NEXT_MEMBER.match(place.rest.lstrip()):
        return "json_unclosed_string", f"A closing quote is missing{place.name}.", place.at
    return "json_line_break_in_string", f"The text{place.name} holds a raw line break.", place.at


def _smart_quotes(place: Place) -> Found:
    message = "There are typographic quotes where plain ones belong."
    if place.here and place.here in _SMART_QUOTES:
        return "json_smart_quotes", message, place.at
    if place.last == '"' and re.search(rf"[{_SMART_QUOTES}]\s*[,:}}]", place.last_string):
        found = re.search(rf"[{_SMART_QUOTES}]\s*[,:}}]", place.last_string)
        back = len(place.last_string) - found.start() if found else 0
        return "json_smart_quotes", message, max(0, place.last_at - back)
    return None


def _other_quotes(place: Place) -> Found:
    if place.here and place.here in "'`":
        kind = "single quote" if place.here == "'" else "backtick"
        return "json_single_quotes", f"A {kind} stands where a double quote belongs.", place.at
    if place.here == "\\":
        return "json_over_escaped", "A backslash stands outside of any text.", place.at
    return None


def _expression(place: Place) -> Found:
    code, at = "json_unevaluated_expression", place.at
    if place.here == "{" and place.last == "{" and place.text[at - 1] == "{":
        if re.match(r'\{\s*"', place.rest):
            return "json_syntax", "There is a brace too many.", at
        at -= 1
    elif not re.match(r"=?\s*\{\{|\$\{|=?\s*\$\w|\{%|<%", place.rest):
        return None
    return code, f"An expression stands there as it is{place.name}.", at


def _object_as_text(place: Place) -> Found:
    if place.last == "[" and place.rest.startswith("object "):
        return "json_object_as_text", f"[object Object] was sent{place.name}.", place.last_at
    return None


def _comment(place: Place) -> Found:
    if place.rest.startswith(("//", "/*", "#", "<!--")):
        return "json_comment", "There is a comment; JSON has none.", place.at
    return None


def _invisible(place: Place) -> Found:
    if not place.here or unicodedata.category(place.here) not in ("Cc", "Cf", "Zs", "Zl", "Zp"):
        return None
    number = f"U+{ord(place.here):04X}"
    name = unicodedata.name(place.here, "control character").lower()
    message = f"There is an invisible character, {number} ({name})."
    return "json_invisible_character", message, place.at


def _cut_off(place: Place) -> Found:
    if not place.is_end or place.error.startswith("Extra data"):
        return None
    at = len(place.text.rstrip())
    return "json_truncated", "The body ends before its object is closed.", at


def _commas(place: Place) -> Found:
    if not (place.wants("value") or place.wants("property") or "comma" in place.error):
        return None
    if place.last == ":" and place.here in ",}]":
        return "json_empty_value", f"There is no value{place.name}.", place.at
    if place.last in (",", "{", "[") and place.here in ",}]":
        at = place.last_at if place.last == "," else place.at
        return "json_trailing_comma", "There is a comma too many.", at
    return None


def _number(place: Place) -> Found:
    """A number, or a text that begins like one, without quotes."""
    at = place.at
    if place.wants("','") or place.error.startswith("Extra data"):
        if not place.last.isdigit() or not re.match(r"[\w.:'/%€$+-]", place.here):
            return None
        at = place.last_at + 1 - len(place.before)
        at += len(place.before.rstrip("0123456789+-.eE"))
    elif place.wants("property") and re.search(r"[:\[]\s*-?[\d.]+,$", place.before):
        if not place.here.isdigit():
            return None
        message = f"A comma is within the number{place.name}."
        return "json_number_format", message, place.last_at
    elif not (place.wants("value") and re.match(r"[+.\-\d]", place.rest)):
        return None
    bare = _read_bare(place.text, at)
    if _NUMBER_LIKE.fullmatch(bare):
        return "json_number_format", f"{bare[:40]} is not a number as JSON writes it.", at
    return "json_unquoted_value", f"{bare[:40]} needs quotes around it.", at


def _read_bare(text: str, at: int) -> str:
    """A value without quotes, up to what ends it."""
    found = _BARE.match(text, at)
    return found[0].strip() if found else ""


def _word(place: Place) -> Found:
    """A bare word where a value or a name should be."""
    found = _WORD.match(place.text, place.at)
    if not found:
        return None
    word, at = found[0], place.at
    if place.wants("property"):
        return "json_unquoted_name", f"The name {word[:40]} needs quotes around it.", at
    if not place.wants("value"):
        return None
    if word.lower() in _NO_WORDS:
        return "json_not_finite", f"{word} is not a finite number.", at
    if word.lower() in _FOREIGN_WORDS:
        return "json_undefined", f"The word {word} stands there{place.name}.", at
    if place.rest.strip() == word and any(known.startswith(word) for known in _KNOWN_WORDS):
        return "json_truncated", "The body ends before its object is closed.", len(place.text)
    if place.is_start:
        message = f"The body begins with the word {word[:40]}, not with an object."
        return "json_not_an_object", message, at
    bare = _read_bare(place.text, at)
    return "json_unquoted_value", f"{bare[:40]} needs quotes around it.", at


def _after_string(place: Place) -> Found:
    """A text ended, and what follows fits neither a comma nor a colon."""
    if place.last != '"' or not (place.wants("','") or place.wants("':'")):
        return None
    apart = place.last_at < place.at - 1
    is_member = re.match(r'"(?:[^"\\]|\\.){0,80}"\s*[:,}\]]', place.rest)
    if place.wants("','") and place.here == '"' and apart and is_member:
        return "json_missing_comma", "A comma is missing between two fields.", place.last_at + 1
    inside = place.last_string.strip()
    if inside.endswith((",", ":")) and _NEXT_MEMBER.match(place.rest):
        return "json_unclosed_string", "A closing quote is missing before this.", place.last_at
    if place.wants("':'") or place.here in ":;=}]":
        return None
    what = "An object stands between quotes" if inside == "{" else "A quote stands inside the text"
    return "json_unescaped_quote", f"{what}{place.name}.", place.last_at


def _missing_comma(place: Place) -> Found:
    if place.wants("','") and place.here and place.here in '"{[':
        return "json_missing_comma", "A comma is missing.", place.last_at + 1
    return None


def _word_goes_on(place: Place) -> Found:
    """true, false or null, or a number, with letters behind it: a text without quotes."""
    glued = place.last.isalnum() and place.last_at == place.at - 1
    if not (place.wants("','") and glued and re.match(r"[\w.:/-]", place.here)):
        return None
    at = place.at - len(re.split(r"[\s:,\[{]", place.before)[-1])
    bare = _read_bare(place.text, at)
    return "json_unquoted_value", f"{bare[:40]} needs quotes around it.", at


def _more_text(place: Place) -> Found:
    if not place.error.startswith("Extra data"):
        return None
    if place.here and place.here in "{[":
        return "json_two_values", "A second object follows the first one.", place.at
    return "json_two_values", "There is more text after the end of the object.", place.at


def _expected(place: Place) -> Found:
    wanted = {
        "value": "a value",
        "property": "a name in double quotes",
        "','": "a comma or the end",
    }
    for what, words in wanted.items():
        if place.wants(what):
            return "json_syntax", f"The sign {place.here} stands where {words} belongs.", place.at
    if place.wants("':'"):
        return "json_syntax", f"The sign {place.here} stands where a colon belongs.", place.at
    return None


RULES: tuple[Callable[[Place], Found], ...] = (
    _empty,
    _other_format,
    _inside_string,
    _smart_quotes,
    _other_quotes,
    _expression,
    _object_as_text,
    _comment,
    _invisible,
    _cut_off,
    _commas,
    _number,
    _word,
    _after_string,
    _missing_comma,
    _word_goes_on,
    _more_text,
    _expected,
)
