"""Log lines that nobody can forge: an entry stays in its line, whatever came from outside."""

import logging
import re
from typing import Any

_UNPRINTABLE = re.compile(
    "[\\x00-\\x08\\n-\\x1f\\x7f-\\x9f\\u061c\\u200e\\u200f\\u2028-\\u202e\\u2066-\\u2069\\ufeff\\ud800-\\udfff]"
)
"""Line breaks of any kind, what terminals obey, what turns text round, what can't be written."""
INDENT = "    "


class LogLines(logging.Formatter):
    """One line an entry; what belongs to it, such as a traceback, is indented below it.

    So a line that begins with a date is an entry of its own, and none else is.
    """

    def formatMessage(self, record: logging.LogRecord) -> str:
        return escape(super().formatMessage(record))

    def formatException(self, ei: Any) -> str:
        return _indent(super().formatException(ei))

    def formatStack(self, stack_info: str) -> str:
        return _indent(super().formatStack(stack_info))


def escape(text: str) -> str:
    """The text with `\\n`, `\\x1b`, `\\u2028` and so on for what would do more than be read."""
    return _UNPRINTABLE.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def log_to_stderr(name: str) -> None:
    """Have everything from warnings on written to the process's own output, under this name."""
    handler = logging.StreamHandler()
    handler.setFormatter(LogLines(line_of(name), DATES))
    logging.basicConfig(handlers=[handler])


DATES = "%Y-%m-%d %H:%M:%S"


def line_of(name: str) -> str:
    """The form of a line of the process of this name: web or worker."""
    return f"%(asctime)s {name} %(levelname)s %(message)s"


def _indent(text: str) -> str:
    return "\n".join(INDENT + escape(line) for line in text.split("\n"))
