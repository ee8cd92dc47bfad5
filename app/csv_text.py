"""Lines of CSV that no spreadsheet takes for formulas."""

import csv
import io
import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

_BEGIN = r"[ \t\r\n\v\f\u00a0]*[=+\-@\uff1d\uff0b\uff0d\uff20]"
_FORMULA = re.compile(rf"^(?={_BEGIN}|[\t\r])|([;\t\r\n])(?={_BEGIN})")
"""Where a cell begins that would be worked out: at the text's begin and, since a spreadsheet that
parts cells by semicolons takes our quotation marks for text, behind each of these signs."""


def neutralise(text: str) -> str:
    """An apostrophe before each of these places, which has the rest shown as text."""
    return _FORMULA.sub(r"\1'", text.replace("\0", ""))


def write_lines(rows: Iterable[Sequence[object]]) -> str:
    """By RFC 4180, every cell in quotation marks; None is empty, times are ISO 8601 in UTC."""
    text = io.StringIO()
    writer = csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator="\r\n")
    writer.writerows([_write(value) for value in row] for row in rows)
    return text.getvalue()


def _write(value: object) -> str:
    """Numbers are ours, and may begin with a minus."""
    if value is None:
        return ""
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return str(value) if isinstance(value, int | float) else neutralise(str(value))
