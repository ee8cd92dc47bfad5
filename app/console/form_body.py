"""The body of a form: read whole before anything else, within a size and a time."""

import logging
from contextlib import suppress

from flask import abort, current_app, request
from werkzeug.exceptions import HTTPException, RequestEntityTooLarge

from app.time_limit import TimeIsUp, time_limit

MAX_FORM_BYTES = 4 * 1024 * 1024
"""Room for the largest body that an event may have, each of its bytes escaped."""

logger = logging.getLogger(__name__)


def read_form() -> None:
    """Take the whole form in; whoever sends it too slowly, or too much, holds nobody up.

    Aborts with 408, 413 or, where the connection broke, 400.
    """
    request.max_content_length = MAX_FORM_BYTES
    try:
        with time_limit(current_app.config["FLOWPULSE_BODY_TIMEOUT_SECONDS"], for_sender=True):
            request.get_data(cache=True)
    except TimeIsUp:
        _end_connection()
        abort(408, "The form did not come within the time. Nothing was changed; send it again.")
    except RequestEntityTooLarge:
        _end_connection()
        abort(413, "The form is too large. Nothing was changed.")
    except HTTPException:
        raise
    except Exception as error:
        logger.info("A form broke off: %s", error)
        _end_connection()
        abort(400, "The form did not come whole. Nothing was changed; send it again.")


def _end_connection() -> None:
    """Have gunicorn look for no request behind a body that was given up."""
    with suppress(AttributeError):
        request.environ["wsgi.input"].failed = True
