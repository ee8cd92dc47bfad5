"""Groups of errors by the rules of today: ids without digits go, quoted names stay.

Failures that were grouped before would stand beside those of the same error that come from now on.

Revision ID: 0012
Revises: 0011
"""

import re
from hashlib import blake2b
from unicodedata import normalize

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

CHUNK = 2_000
RUNS = sa.table(
    "runs",
    sa.column("id", sa.BigInteger()),
    sa.column("outcome", sa.String()),
    sa.column("is_test", sa.Boolean()),
    sa.column("error_type", sa.String()),
    sa.column("error_message", sa.Text()),
    sa.column("error_group", sa.String()),
)


def upgrade() -> None:
    connection, columns = op.get_bind(), RUNS.c
    failures = sa.select(columns.id, columns.error_type, columns.error_message, columns.error_group)
    failures = failures.where(columns.outcome == "failure", columns.is_test.is_(sa.false()))
    failures = failures.order_by(columns.id).limit(CHUNK)
    put = (
        sa.update(RUNS)
        .where(columns.id == sa.bindparam("run_id"))
        .values(error_group=sa.bindparam("found"))
    )
    last = 0
    while rows := connection.execute(failures.where(columns.id > last)).all():
        last = rows[-1][0]
        found = [(row[0], _error_group(row[1], row[2]), row[3]) for row in rows]
        changed = [{"run_id": run, "found": new} for run, new, old in found if new != old]
        if changed:
            connection.execute(put, changed)


def downgrade() -> None:
    """The groups stay: they are as good by any rules."""


# --- as app/processing/error_groups.py makes them -----------------------------------------------

COMPARED = 1_000

QUOTES = (("'", "'"), ('"', '"'), ("`", "`"), ("“", "”"), ("‘", "’"), ("«", "»"))
QUOTED = "|".join(
    rf"(?<!\w){re.escape(start)}[^{re.escape(start + end)}\n]{{0,300}}{re.escape(end)}(?!\w)"
    for start, end in QUOTES
)
CHANGING = re.compile(
    rf"(?P<quoted>{QUOTED})"
    r"|(?:[\w.+-]{1,64}@[\w-]{1,64}(?:\.[\w-]{1,64})+)"
    r"|(?:\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d[\d:.,]{0,16}(?:Z|[+-]\d\d:?\d\d)?)?)"
    r"|(?:(?<!\w)(?<!::)(?:[0-9a-fA-F]{1,4}:){7,8}(?:\d{1,5}|[0-9a-fA-F]{1,4})(?!\w|:[\w:]))"
    r"|(?:(?=[a-fA-F:]{0,40}\d)(?:(?<!\w)(?<!::)[0-9a-fA-F]{1,4}(?::[0-9a-fA-F]{1,4}){0,6}"
    r"|(?<![\w:]))::(?:[0-9a-fA-F]{1,4}(?::[0-9a-fA-F]{1,4}){0,6})?(?:(?:\.\d{1,3}){3})?"
    r"(?::\d{1,5})?(?!\w|:[\w:]))"
    r"|(?:\b[0-9a-fA-F]{2}(?:(?::[0-9a-fA-F]{2}){5,31}|(?:-[0-9a-fA-F]{2}){5,31})\b)"
    r"|(?:\b(?=[a-fA-F.]{0,14}\d)[0-9a-fA-F]{4}(?:\.[0-9a-fA-F]{4}){2}\b)"
    r"|(?:\b(?:(?=[a-fA-F-]{0,40}\d)[0-9a-fA-F]{4,32}|[0-9a-fA-F]{8})"
    r"(?:-[0-9a-fA-F]{4,32}){1,8}\b)"
    r"|(?:\b(?:0x[0-9a-fA-F]+|(?=\d*[a-f])[0-9a-f]{8,128}|(?=\d*[A-F])[0-9A-F]{8,128})\b)"
    r"|(?:\b(?=[A-Za-z_-]{0,60}\d)(?=[\d_-]{0,60}[A-Za-z])[A-Za-z\d][\w-]{5,127}\b)"
    r"|(?:\b(?=\w{4,5}\b)(?:[A-Za-z]+\d+[A-Za-z]+\d|\d+[A-Za-z]+\d+[A-Za-z])\w*\b)"
    r"|(?P<word>\b[A-Za-z]{10,128}\b)"
    r"|(?:[+-]?\d+(?:[.,:]\d+)*)"
)
NAME = re.compile(r"(?:[^\W\d]|[.-]){1,30}")
ODD_CASE = re.compile(r"(?<![a-z])[a-z](?![a-z])|[A-Z]{2,}")
MOST_ODD = 3


def _pattern(message: str) -> str:
    start = " ".join(normalize("NFC", message[:COMPARED]).split())
    return CHANGING.sub(_stand_in, start)


def _stand_in(found: re.Match[str]) -> str:
    text = found[0]
    if found["word"]:
        return "…" if len(ODD_CASE.findall(text)) > MOST_ODD else text
    name = text[1:-1] if found["quoted"] else ""
    is_name = NAME.fullmatch(name) and CHANGING.sub(_stand_in, name) == name
    return text if is_name else "…"


def _error_group(error_type: str | None, error_message: str | None) -> str | None:
    if not error_type and not error_message:
        return None
    parts = f"{_pattern(error_type or '')}\0{_pattern(error_message or '')}"
    return blake2b(parts.casefold().encode("utf-8", "replace"), digest_size=8).hexdigest()
