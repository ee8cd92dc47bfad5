"""The rows of docs/reliability.md about the database's storage and the clock."""

from tests.drills import marks
from tests.drills.rows import ALTERED, BETWEEN, DURABILITY, REACHED, Drill

STORAGE: dict[str, Drill] = {
    "backup": Drill(
        DURABILITY,
        "A backup of 100,000 events under load, restored elsewhere",
        "Each 202 that was answered before it began is in it; the copy is opened and counted; "
        "p99 at most twice as long meanwhile",
        "{answered:,} answered before: {missing} missing. {megabytes:.0f} MB in {backup_s:.0f} s; "
        "p99 {beside_ms:.0f} ms without it, {meanwhile_ms:.0f} ms meanwhile",
        held=marks.BACKED_UP,
    ),
    "full_disk": Drill(
        DURABILITY,
        "The disk full for a minute under load (a small tmpfs)",
        "Each 503 tells the cause; a 202 only for what found some room yet, as in SQLite's log; "
        "every page answers; writes again within 10 s after there is room, without a restart; "
        "0 lost; a banner before it is full",
        "{accepted:,} answered with 202, {refused:,} with 503: {lost} lost, {doubled} doubled; "
        "{pages} pages read meanwhile; writes after {resumed_s:.1f} s; "
        "{restarts} restarts of the database",
        held=marks.DISK_BORNE,
        besides=(
            "{without_cause} of the 503 without the cause; {taken_when_full} × 202 after the first",
            "{way}",
            ALTERED,
            BETWEEN,
            REACHED,
        ),
    ),
    "migration": Drill(
        DURABILITY,
        "A database of the first version with 1,000,000 events and runs is migrated by four "
        "starters at once; another one with kill -9 in the middle, three times",
        "At most 120 s; one migrates, the others wait; the next start finishes it",
        "{seconds:.0f} s, one migrated; {kills} kills, then finished, with all rows there",
        held=marks.at_most(seconds=marks.MIGRATED_WITHIN_SECONDS),
    ),
    "clock": Drill(
        DURABILITY,
        "The clock is set ahead and back by an hour and by a day under load, and set right again: "
        "with SQLite what our own processes read (`app/clock.py` and Python's `time.time`), with "
        "PostgreSQL that of the database server. The nights in which a zone's clocks change are "
        "tested over simulated time, by `tests/test_timetable.py` and "
        "`tests/processing/test_schedules.py`",
        "Ids and order by arrival; nothing purged; no alert twice, none for what did not come "
        "meanwhile; the worker takes no more than 30 % of a processor",
        "{jumps} jumps, {accepted:,} answered with 202: {lost} lost, {doubled} doubled, "
        "{disordered} out of order; {purged} purged; {messages} messages of one failure and its "
        "end; {cpu_percent:.0f} % of a processor",
        held=marks.CLOCK_BORNE,
    ),
}
