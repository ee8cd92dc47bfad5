"""Log lines that nobody can forge: an entry stays in its line, whatever came from outside."""

import json
import logging
import time
from collections.abc import Callable, Mapping
from typing import Any

INDENT = "    "
DATES = "%Y-%m-%d %H:%M:%S"
Hide = Callable[[str], str]


class LogLines(logging.Formatter):
    """One line an entry; what belongs to it, such as a traceback, is indented below it.

    So a line that begins with a date is an entry of its own, and none else is. `hide`: takes out of
    a text what must not be in a log.
    """

    def __init__(self, form: str | None, dates: str | None, hide: Hide = str) -> None:
        super().__init__(form, dates)
        self._hide = hide

    def formatMessage(self, record: logging.LogRecord) -> str:
        return escape(self._hide(super().formatMessage(record)))

    def formatException(self, ei: Any) -> str:
        return _indent(self._hide(super().formatException(ei)))

    def formatStack(self, stack_info: str) -> str:
        return _indent(self._hide(super().formatStack(stack_info)))


class JsonLines(logging.Formatter):
    """One JSON object an entry, in ASCII on one line; a traceback is a member of it."""

    def __init__(self, process: str, hide: Hide = str) -> None:
        super().__init__()
        self._process, self._hide = process, hide

    def format(self, record: logging.LogRecord) -> str:
        at = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        entry = {
            "time": f"{at}.{record.msecs:03.0f}Z",
            "process": self._process,
            "level": record.levelname,
            "message": self._hide(record.getMessage()),
        }
        if record.exc_info:
            entry["trace"] = self._hide(self.formatException(record.exc_info))
        if record.stack_info:
            entry["stack"] = self._hide(record.stack_info)
        return as_line(entry)


def as_line(entry: Mapping[str, Any]) -> str:
    """As JSON in printable ASCII; json itself lets one control character pass."""
    return json.dumps(entry).replace("\x7f", "\\u007f")


def escape(text: str) -> str:
    r"""The text on one line, with `\x1b` and the like in place of what isn't printable."""
    return "".join(
        sign if sign.isprintable() and sign != "\\" else sign.encode("unicode_escape").decode()
        for sign in text
    )


def log_to_stderr(name: str, form: str = "text", hide: Hide = str) -> None:
    """Have everything from warnings on written to the process's own output, under this name; the
    form is `text` or `json`; `hide` as of `LogLines`."""
    handler = logging.StreamHandler()
    is_json = form == "json"
    handler.setFormatter(JsonLines(name, hide) if is_json else LogLines(line_of(name), DATES, hide))
    logging.basicConfig(handlers=[handler])


def line_of(name: str) -> str:
    """The form of a line of the process of this name: web or worker."""
    return f"%(asctime)s {name} %(levelname)s %(message)s"


def _indent(text: str) -> str:
    return "\n".join(INDENT + escape(line) for line in text.split("\n"))
