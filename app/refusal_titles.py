"""What a refusal is called in one line, by its code and what was wrong with its fields."""

from collections.abc import Mapping, Sequence
from typing import Any

from app.problems import PROBLEMS
from app.signs import show_signs

MAX_TITLE = 160

PHRASES = {
    "missing": "{field} is missing",
    "wrapped_in_envelope": "The event is wrapped in {field}",
    "invalid_type": "{field} is of the wrong kind",
    "blank": "{field} is blank",
    "too_long": "{field} is too long",
    "invalid_characters": "{field} has characters that it can't have",
    "not_a_datetime": "{field} is not a date and time",
    "date_only": "{field} is a date without a time",
    "epoch_number": "{field} is a Unix timestamp",
    "local_format": "{field} is in a local date format",
    "in_the_future": "{field} lies in the future",
    "after_ended_at": "{field} is after ended_at",
    "not_a_number": "{field} is not a number",
    "out_of_range": "{field} is out of range",
    "unevaluated_expression": "{field} is an expression, sent as it stands",
    "unknown_kind": "{field} is no known kind of event",
    "batch_sent_alone": "{field} are a batch, sent to the address of one event",
    "no_events": "{field} holds no event",
    "too_many_events": "{field} are too many for one batch",
    "workflow_mismatch": "{field} names another workflow",
    "invalid_parameter": "The parameter {field} can't be read",
}
"""By the code of a field; one line for each row of that kind in the troubleshooting table."""


def title_of_refusal(code: str, errors: Sequence[Mapping[str, Any]]) -> str:
    """`ended_at is missing (and 2 more)`; `errors` as the log keeps them."""
    if not errors:
        return _name(code)
    first = errors[0]
    its_code, field = str(first.get("code")), str(first.get("field"))
    phrase = PHRASES.get(its_code)
    title = phrase.format(field=show_signs(field)) if phrase else _name(its_code)
    more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
    return title[:MAX_TITLE] + more


def _name(code: str) -> str:
    problem = PROBLEMS.get(code)
    return problem.title if problem else code
