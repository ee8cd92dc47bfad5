"""Which row of the troubleshooting table a failed try of a delivery belongs to."""

import re

from app.models import DeliveryAttempt
from app.problems import PROBLEMS, Problem

_BY_STATUS = {3: "delivery_rejected", 4: "delivery_rejected", 5: "delivery_server_error"}
"""By the first digit of the answer's status."""
_BY_WORDS = {
    "delivery_certificate": r"certificate",
    "delivery_address_refused": r"public internet|not allowed here|no http:// or https://",
    "delivery_mail_failed": r"SMTP|, port (?:25|465|587|2525): |Refused for ",
    "delivery_no_answer": r"can't be resolved|has no address|No connection to|no answer|in time",
}
"""By what the error says, the first that fits; the words are our own, or those of TLS."""


def find_problem(attempt: DeliveryAttempt) -> Problem | None:
    """The row; None for a try that arrived."""
    if not attempt.error:
        return None
    code = _BY_STATUS.get((attempt.status or 0) // 100)
    words = (each for each, pattern in _BY_WORDS.items() if re.search(pattern, attempt.error))
    return PROBLEMS[code or next(words, "delivery_failed")]
