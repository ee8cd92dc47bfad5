"""docs/performance-search.md: how far a search goes at once, and what an index of texts costs."""

from collections.abc import Iterator

from app.api import search as api
from app.console.event_search import SECONDS
from app.windows import LARGEST_WINDOW
from bench.events import ERRORS, NEEDLE
from bench.growth_report import MOST_OF_A_SEARCH_MS
from bench.growth_report import NAMES as KINDS
from bench.growth_steps import PART as GROWN
from bench.growth_steps import name_of
from bench.measured import Measured, last
from bench.servers import ROOT
from bench.tables import Column, Draw, by_round, number, ratio, spread, table

REPORT = ROOT / "docs" / "performance-search.md"
PART = "search"
SOUGHT = {"the oldest event alone": NEEDLE, "common": ERRORS[2][:7], "none fits": "no-such-text"}
"""By where it is found: at the very end, at once, and nowhere."""
BATCH = 16
MANY = 10_000_000

BOUND = f"""\
# Searching the log

**The bound.** A search reads the log from the newest event to the oldest, in windows of ids that
grow to {LARGEST_WINDOW:,} events and shrink with the time they take. A page of the console aims at
{SECONDS * 1_000:.0f} ms (one of the API's lists, by what no index answers, at
{api.SECONDS * 1_000:.0f} ms), and ends with the look that it is in then: its p95 is held to
{MOST_OF_A_SEARCH_MS} ms with {MANY:,} events, which is a [goal](performance.md#goals); what it came
to stands in [performance-growth.md](performance-growth.md). Then it shows what it has found, says
how far it came, and goes on from there by itself. What an index knows is there at once, however old
it is: the id of an event, an execution id, a correlation id; the few events that failed or were
refused."""

INDEX = """\
**Why no index of texts.** Written by `make bench-search`. Of each database there are two with
{events:,} events: one as the log is, and one with an index by trigrams (FTS5 on SQLite, `pg_trgm`
on PostgreSQL), which finds parts of words as the search does. They take turns (A B A B …): commits
of {batch} events by the ingest service's own statements, then each search. The index has it easy:
it holds one text of each event, where the search looks into ten columns and the body, and half of
that text is one letter repeated. "As it is" the search goes by windows, page by page, until a page
is full or all events are looked at; "with the index" the index alone is asked, for one page. What
the rounds add holds nothing of what is looked for, and comes first."""

WEIGHED = """\
An index answers within milliseconds and still loses: each event pays for it with the processor's
time when it comes in, on the road that is to be the fastest, and once more when retention removes
it; nearly all events are never searched for. It finds nothing shorter than three letters, and folds
letters in its own way on each database. A search for something recent, which is what people do,
ends in the first windows either way."""


def plain(kind: str) -> str:
    return f"{KINDS[kind]}, as it is"


def indexed(kind: str) -> str:
    return f"{KINDS[kind]}, with the index"


def search_of(where: str) -> str:
    return f"search, {where}"


def looks_of(where: str) -> str:
    return f"looks, {where}"


def _plain(subject: str) -> str:
    return plain(next(kind for kind, name in KINDS.items() if subject.startswith(f"{name}, ")))


COMMITS = (
    Column(f"commit of {BATCH}, ms", number("commit_ms", ".2f")),
    Column("spread", spread("commit_ms", ".2f")),
    Column("of as it is", ratio("commit_ms", _plain)),
    Column("by round", by_round("commit_ms", _plain)),
    Column("processor time an event, µs", number("cpu_us", ".0f")),
    Column("of as it is", ratio("cpu_us", _plain)),
    Column("bytes an event", number("bytes", ",.0f")),
)


def _took(where: str) -> Draw:
    """In ms, with the number of pages where it was more than one."""

    def draw(measured: Measured, subject: str) -> str:
        looks = measured.median(subject, looks_of(where)) or 1
        took = number(search_of(where), ".1f")(measured, subject)
        return f"{took} in {looks:.0f} pages" if looks > 1 else took

    return draw


SEARCHES = tuple(
    column
    for where, text in SOUGHT.items()
    for column in (
        Column(f"{where} (“{text}”), ms", _took(where)),
        Column("spread", spread(search_of(where), ".1f")),
    )
)


def write() -> None:
    measured = last(PART)
    if measured:
        REPORT.write_text(describe(measured, last(GROWN)))


def describe(measured: Measured, grown: Measured | None) -> str:
    events = next(iter(measured.subjects.values()))[0]["events"]
    parts = [BOUND, *_tell_the_end(grown), INDEX.format(events=round(events), batch=BATCH)]
    where = f"Rounds: {measured.rounds}. Machine: {measured.machine}. Date: {measured.date}."
    parts += [where, table(measured, COMMITS), table(measured, SEARCHES), WEIGHED]
    return "\n\n".join(parts) + "\n"


def _tell_the_end(grown: Measured | None) -> Iterator[str]:
    """How long it takes to look at all there is, where that was measured."""
    found = {
        name: seconds
        for kind, name in KINDS.items()
        if grown
        and (seconds := grown.median(name_of(kind, MANY), "search of events: to the end, s"))
    }
    if found:
        told = ", ".join(f"{seconds:.0f} s on {name}" for name, seconds in found.items())
        yield (
            f"To the very end of {MANY:,} events, for what is nowhere or in the oldest one alone, "
            f"that takes {told}, in pages of that length: whoever looks sees how far it came, and "
            "can name a time, a workflow or a state, by which far less is read."
        )
