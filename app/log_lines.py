"""Log lines that nobody can forge: an entry stays in its line, whatever came from outside."""

import logging
from typing import Any

INDENT = "    "
DATES = "%Y-%m-%d %H:%M:%S"


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
    r"""The text on one line, with `\x1b` and the like in place of what isn't printable."""
    return "".join(
        sign if sign.isprintable() and sign != "\\" else sign.encode("unicode_escape").decode()
        for sign in text
    )


def log_to_stderr(name: str) -> None:
    """Have everything from warnings on written to the process's own output, under this name."""
    handler = logging.StreamHandler()
    handler.setFormatter(LogLines(line_of(name), DATES))
    logging.basicConfig(handlers=[handler])


def line_of(name: str) -> str:
    """The form of a line of the process of this name: web or worker."""
    return f"%(asctime)s {name} %(levelname)s %(message)s"


def _indent(text: str) -> str:
    return "\n".join(INDENT + escape(line) for line in text.split("\n"))
