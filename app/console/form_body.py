"""The body of a form: read whole before anything else, within a size and a time."""

import logging
from contextlib import suppress
from typing import Any

from flask import abort, current_app, request, session
from werkzeug.wsgi import get_input_stream

from app.ingest.remainders import Remainder
from app.ingest.slips import has_stray_percent_signs
from app.time_limit import TimeIsUp, time_limit

MAX_FORM_BYTES = 256 * 1024
"""Room for thousands of fields. Werkzeug takes 20 ms for as many escapes, in which nobody else is
served."""
MAX_EVENT_FORM_BYTES = 2 * 1024 * 1024
"""Room for the largest body that an event may have, half of its bytes escaped: all of them, in
3 MB, would keep everybody else waiting for over 200 ms."""
MAX_STRANGERS_BYTES = 1024 * 1024
"""Of those, from whoever was never signed in: twice as much keeps all others waiting."""
MAX_FILE_BYTES = 4 * 1024 * 1024
"""A file is not escaped, so that more of it is read as quickly."""
TAKE_EVENTS = frozenset(
    {
        "mending.send_again",
        "try_it.send_test",
        "importing.show_plan",
        "importing.make",
        # They carry such a form on, whose session had ended.
        "sign_in.sign_in",
        "second_step.take_second_step",
    }
)
"""Endpoints whose forms hold an event's body, or a list of other systems' workflows."""
TAKE_FILES = frozenset({"importing.show_plan"})
"""Endpoints whose forms may hold a file as well, from whoever was signed in."""
ROOM_BESIDE_FILE = 64 * 1024
"""For the form's other fields, and for what stands between them."""
MAX_FORM_FIELDS = 10_000
_CHUNK = 64 * 1024

logger = logging.getLogger(__name__)


class _TooLargeError(Exception):
    """Tells what is too much, in a sentence."""


def read_form() -> None:
    """Take the whole form in; whoever sends it too slowly, or too much, holds nobody up.

    Aborts with 408, 413, 415 for files where no form of ours has one, or, where the connection
    broke, 400.
    """
    if _has_files() and request.endpoint not in TAKE_FILES:
        _end_connection()
        abort(415, "This form takes no files. Nothing was changed.")
    try:
        with time_limit(current_app.config["FLOWPULSE_BODY_TIMEOUT_SECONDS"], for_sender=True):
            form = _read_all()
    except TimeIsUp:
        _end_connection()
        abort(408, "The form did not come within the time. Nothing was changed; send it again.")
    except _TooLargeError as error:
        _end_connection()
        abort(413, f"{error} Nothing was changed; send less.")
    except Exception as error:
        logger.info("A form broke off: %s", error)
        _end_connection()
        abort(400, "The form did not come whole. Nothing was changed; send it again.")
    request.environ["wsgi.input"] = form


def _read_all() -> Any:
    """Until all has come, hardly any of it is held in memory: anybody may send forms."""
    most = _find_most()
    too_large = _TooLargeError(f"The form is larger than {most // 1024} KB.")
    if (request.content_length or 0) > most:
        raise too_large
    stream, form, is_escaped = get_input_stream(request.environ), Remainder(), not _has_files()
    size, fields, signs = 0, 1, 0
    while piece := stream.read(_CHUNK):
        size, fields = size + len(piece), fields + piece.count(b"&") * is_escaped
        signs += piece.count(b"%") * is_escaped
        if size > most:
            raise too_large
        if fields > MAX_FORM_FIELDS:
            raise _TooLargeError(f"The form has more than {MAX_FORM_FIELDS:,} fields.")
        form.write(piece)
    if size < (request.content_length or 0) or has_stray_percent_signs(signs, size):
        raise EOFError(f"{size} bytes came, with {signs} percent signs")
    form.seek(0)
    request.max_form_memory_size = most  # A text that was pasted beside the file, too.
    return form


def _find_most() -> int:
    if request.endpoint not in TAKE_EVENTS:
        return MAX_FORM_BYTES
    if _has_files() and "_user_id" in session:
        return MAX_FILE_BYTES + ROOM_BESIDE_FILE
    return MAX_EVENT_FORM_BYTES if "_user_id" in session else MAX_STRANGERS_BYTES


def _has_files() -> bool:
    return request.mimetype == "multipart/form-data"


def _end_connection() -> None:
    """Have gunicorn look for no request behind a body that was given up."""
    stream = request.environ["wsgi.input"]
    with suppress(AttributeError):  # Another server's.
        stream.failed = True
        stream.end_connection()
