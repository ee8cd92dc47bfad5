"""`python -m tests.drills.reliability`: docs/reliability.md, from what the drills found last."""

from pathlib import Path
from typing import NamedTuple

from tests.drills.load import CLIENTS, RATE
from tests.drills.record import Figure, read

FILE = Path(__file__).parents[2] / "docs" / "reliability.md"
DATABASES = {"sqlite": "SQLite", "postgresql": "PostgreSQL"}
DURABILITY, OVERLOAD, OTHERS = "Durability and faults", "Overload", "Further drills"


class Drill(NamedTuple):
    """A row of the page."""

    section: str
    fault: str
    mark: str
    found: str
    """A format string with the names of the figures that the drill records."""
    databases: tuple[str, ...] = ("sqlite", "postgresql")
    """Where it means anything."""


_NOTHING_LOST = "0 lost, 0 doubled; "
_RECKONED = "{accepted:,} answered with 202: {lost} lost, {doubled} doubled; "
_BACK = "accepting after {accepting_s:.1f} s at most, processing after {processing_s:.1f} s"
_TOLD = (
    "503 with `Retry-After` within 10 s, to reports and in the console, and nothing else; "
    "the first 202 within 5 s"
)
_ANSWERED = (
    "{refused:,} × 503, {others} other answers; the longest took {longest_s:.1f} s, "
    "in the console {pages_longest_s:.1f} s ({pages_others} other answers); "
)
_AWAY = (
    f"{_RECKONED}{_ANSWERED}the first 202 after {{back_s:.1f}} s at most; "
    "{restarted} of our processes started anew"
)

DRILLS: dict[str, Drill] = {
    "kill_web": Drill(
        DURABILITY,
        "kill -9 of a random web process, 20 times, under load",
        f"{_NOTHING_LOST}accepting again within 5 s; processing within 30 s",
        _RECKONED + _BACK,
    ),
    "kill_master": Drill(
        DURABILITY,
        "kill -9 of gunicorn's main process, 20 times, under load",
        f"{_NOTHING_LOST}accepting again within 5 s; processing within 30 s",
        _RECKONED + _BACK,
    ),
    "kill_everything": Drill(
        DURABILITY,
        "kill -9 of everything, supervisord too, 10 times, under load",
        f"{_NOTHING_LOST}accepting again within 5 s; processing within 30 s",
        _RECKONED + _BACK,
    ),
    "kill_worker": Drill(
        DURABILITY,
        "kill -9 of the worker, 50 times, under load",
        f"{_NOTHING_LOST}processing again within 30 s",
        _RECKONED + "processing after {processing_s:.1f} s at most",
    ),
    **{
        f"locked_{seconds}": Drill(
            DURABILITY,
            f"SQLite locked by another process for {seconds} s, under load",
            f"{_NOTHING_LOST}{mark}",
            f"{_RECKONED}{_ANSWERED}the first 202 after {{back_s:.1f}} s",
            ("sqlite",),
        )
        for seconds, mark in ((4, "all reports 202"), (14, _TOLD), (60, _TOLD))
    },
    "postgres_stopped": Drill(
        DURABILITY,
        "PostgreSQL stopped at once and started after 30 s, 5 times, under load",
        f"{_NOTHING_LOST}{_TOLD}; no restart of ours",
        _AWAY,
        ("postgresql",),
    ),
    "postgres_connections_ended": Drill(
        DURABILITY,
        "All connections to PostgreSQL ended, 10 times, under load",
        f"{_NOTHING_LOST}{_TOLD}; no restart of ours",
        _AWAY,
        ("postgresql",),
    ),
    "postgres_full": Drill(
        DURABILITY,
        "All of PostgreSQL's connections taken by others for 10 s, 3 times, under load",
        f"{_NOTHING_LOST}{_TOLD}; no restart of ours",
        _AWAY,
        ("postgresql",),
    ),
    "restart": Drill(
        DURABILITY,
        "The documented restart (HUP), 10 times, then SIGTERM to web and worker, under load, with "
        "four live logs open",
        f"{_NOTHING_LOST}0 of 10,000 requests fail; none that was sent is cut off by the stop, "
        "which takes 30 s at most",
        "{failed} of {requests:,} failed, the longest took {longest_s:.1f} s; {stop_cut_off} cut "
        "off by the stop, which took {stop_s:.1f} s; {lost} lost, {doubled} doubled",
    ),
    "twins": Drill(
        DURABILITY,
        "100 twins at once with one `Idempotency-Key`; with one `external_execution_id`; then the "
        "key with another body, also at once with the first",
        "1 event; 1 run that counts 100; 422, and nothing but that refusal is kept",
        "{events} event; {runs} run that counts {told}; {other_body}, {stored_more} events and "
        "{runs_more} runs more than wanted",
    ),
    "shuffled": Drill(
        DURABILITY,
        "10,000 events, shuffled and each sent twice, by 8 senders",
        "The same runs and rollups as once and in order",
        "{events:,} events: {runs_differ} of {runs:,} runs and {sums_differ} of {sums:,} sums "
        "differ",
    ),
    "poison": Drill(
        DURABILITY,
        "An event among them that can't be processed (its payload is spoilt in the database)",
        "The others flow; it is given up after 5 attempts, told, and becomes a run by **Retry** "
        "once it is mended",
        "{attempts} attempts; told: {is_told}, with its reason: {says_why}; retried: {retried}",
    ),
    "worker_down": Drill(
        DURABILITY,
        "The worker away for an hour with 10,000 events waiting (put back by an hour in the "
        "database), a third of them failures, with rules for failures and silences; under load",
        "202 as ever; the lag is shown; all is worked off; 4 messages at most, no silence",
        "{accepted:,} × 202, {others} other answers; p99 {p99_before_ms:.0f} ms before, "
        "{p99_down_ms:.0f} ms without a worker, {p99_drain_ms:.0f} ms while {events:,} were "
        "worked off in {drained_s:.0f} s; {messages} messages, {silences} silences",
    ),
    "deliveries": Drill(
        OTHERS,
        "50 failures, each with a rule and a signed webhook; for each the worker is killed before "
        "the decision, after it, while the other side works on the message, or once that has "
        "answered and before the try is recorded",
        "One alert and one message each, which arrives; what arrives twice (it must happen) has "
        "the same id, body and address, and a right signature",
        "{alerts} alerts, {arrived} arrived, {doubles} doubles by the same ids",
    ),
    "storm": Drill(
        OTHERS,
        "10,000 failures within a minute, and 500 more after it, with a rule over them",
        "One alert and then a digest, with exact counts",
        "{failures:,} failures: {counted:,} counted, {messages} messages",
    ),
    "kill_mid_batch": Drill(
        OTHERS,
        "kill -9 of all web processes in the midst of batches of 1 to 500 events, 30 times",
        "0 batches lost, none there by halves; sent again with its key it is there once",
        "{batches:,} answered with 202: {lost} lost, {halves} by halves",
    ),
    "set_up": Drill(
        OTHERS,
        "50 people send the set-up form at the same moment",
        "One becomes the owner; 49 are told that it is done",
        "{owners} owner, {told} told",
    ),
    **{
        f"machines_{kind}": Drill(
            OTHERS,
            f"Three machines ({words}) start at once on an empty PostgreSQL; nine senders report "
            "without a pause, each with an `Idempotency-Key`, and send again to another machine "
            "what one does not take. One machine loses its power; later another one is cut off "
            "from the database, and joined again",
            f"{_NOTHING_LOST}one migrates; the live log of the first has told or counted each "
            "event once, in order; who is cut off answers 503 within 20 s, and takes events again "
            "once it is joined",
            f"{_RECKONED}an event waited {{lag_s:.1f}} s at most for a worker; who was cut off "
            "answered 503 within {longest_s:.1f} s; the first took events without a pause longer "
            "than {pause_s:.1f} s",
            ("postgresql",),
        )
        for kind, words in (("namespaces", "network namespaces"), ("addresses", "addresses"))
    },
    "live_log": Drill(
        OTHERS,
        "Eight processes write 100,000 events, in commits of 1 to 60, while the live logs of two "
        "others follow",
        "Both are told of each event once, in the order of ids",
        "{events:,} written in {written_s} s; both had told or counted all after {told_s} s",
    ),
    "second_start": Drill(
        OTHERS,
        "`make run` on a machine that has run it before",
        "The first answer within 5 s, on a quiet machine",
        "{seconds:.1f} s",
        ("sqlite",),
    ),
    "fuzz_requests": Drill(
        OTHERS,
        "100,000 mutated bodies are sent down the whole road, half of them on each database",
        "202, 400 or 404, never a 500; what was accepted can be processed",
        "{requests:,} requests, {crashes} × 500",
    ),
}
"""By the name under which a drill records what it found (`tests.drills.record`)."""

INTRODUCTION = f"""\
# Reliability

What happens to reports when things break, tried on the real server over HTTP: web processes under
gunicorn and the worker, under supervisord. `make drills` runs everything and rewrites this page; a
short version of each drill is in `make test`. One of them:

```sh
.venv/bin/python -m pytest -m drill tests/drills/test_kill.py -k worker -s --timeout 3600
.venv/bin/python -m tests.drills.reliability
```

**Load**: {CLIENTS} clients that report {RATE} events a second together, successes and failures,
each with an execution id of its own, and note the event id of every 202. **Reckoning**: after the
drill, once the worker has nothing left to do, each noted event is in the log exactly once and
processed, each execution has one run, the runs count as many events as there are, and the rollups
agree with the runs. *Lost* and *doubled* count what does not. **Console**: meanwhile people of the
team read pages and save forms.

`make drills` also validates 300,000 bodies with changed bytes, values and dates
(`tests/ingest/test_fuzz_validation.py`): each is taken, or refused with a row of the
[troubleshooting table](troubleshooting.md)."""


def render() -> str:
    """The page. A drill that was never run, or not on this database, says so."""
    sections = dict.fromkeys(drill.section for drill in DRILLS.values())
    return "\n\n".join([INTRODUCTION, *map(_draw_section, sections)]) + "\n"


def _draw_section(section: str) -> str:
    lines = [f"## {section}", ""]
    lines += ["| Fault | Pass mark | SQLite | PostgreSQL |", "|---|---|---|---|"]
    for name, drill in DRILLS.items():
        if drill.section == section:
            cells = [_draw_cell(name, drill, database) for database in DATABASES]
            lines.append(f"| {' | '.join([drill.fault, drill.mark, *cells])} |")
    return "\n".join(lines)


def _draw_cell(name: str, drill: Drill, database: str) -> str:
    if database not in drill.databases:
        return "–"
    found: dict[str, Figure] | None = read(name).get(database)
    if found is None:
        return "not run yet"
    return f"{drill.found.format(**found)} ({found['date']})"


if __name__ == "__main__":
    FILE.write_text(render(), encoding="utf-8")
