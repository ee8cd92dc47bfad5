"""What schemathesis is told beyond the document: times that no schema can tell apart."""

import schemathesis
from hypothesis import strategies as st

# An end lies not more than a day ahead, and a start not after the end: all times are one moment, in
# the forms that RFC 3339 has for it.
MOMENT = st.sampled_from(
    [
        "2026-01-15T09:31:00Z",
        "2026-01-15T09:31:00.000Z",
        "2026-01-15T09:31:00+00:00",
        "2026-01-15T10:31:00+01:00",
        "2026-01-15T03:31:00.000000-06:00",
    ]
)
schemathesis.openapi.format("date-time", MOMENT)
