"""The drills of durability and faults, as rows of docs/reliability.md."""

from tests.drills import marks
from tests.drills.rows import DURABILITY, NOTHING_LOST, REACHED, RECKONED, Drill

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
    f"{RECKONED}{_ANSWERED}the first 202 after {{back_s:.1f}} s at most; "
    "{restarted} of our processes started anew"
)

FAULTS: dict[str, Drill] = {
    "kill_web": Drill(
        DURABILITY,
        "kill -9 of a random web process, 20 times, under load",
        f"{NOTHING_LOST}accepting again within 5 s; processing within 30 s",
        RECKONED + _BACK,
        held=marks.RECOVERED,
    ),
    "kill_master": Drill(
        DURABILITY,
        "kill -9 of gunicorn's main process, 20 times, under load",
        f"{NOTHING_LOST}accepting again within 5 s; processing within 30 s",
        RECKONED + _BACK,
        held=marks.RECOVERED,
    ),
    "kill_everything": Drill(
        DURABILITY,
        "kill -9 of everything, supervisord too, 10 times, under load",
        f"{NOTHING_LOST}accepting again within 5 s; processing within 30 s",
        RECKONED + _BACK,
        held=marks.RECOVERED,
    ),
    "kill_worker": Drill(
        DURABILITY,
        "kill -9 of the worker, 50 times, under load",
        f"{NOTHING_LOST}processing again within 30 s",
        RECKONED + "processing after {processing_s:.1f} s at most",
        held=marks.WORKER_RECOVERED,
    ),
    **{
        f"locked_{seconds}": Drill(
            DURABILITY,
            f"SQLite locked by another process for {seconds} s, under load",
            f"{NOTHING_LOST}{mark}",
            f"{RECKONED}{_ANSWERED}the first 202 after {{back_s:.1f}} s",
            ("sqlite",),
            held=held,
        )
        for seconds, mark, held in (
            (4, "all reports 202", marks.BORNE),
            (14, _TOLD, marks.TOLD),
            (60, _TOLD, marks.TOLD),
        )
    },
    "postgres_stopped": Drill(
        DURABILITY,
        "PostgreSQL stopped at once and started after 30 s, 5 times, under load",
        f"{NOTHING_LOST}{_TOLD}; no restart of ours",
        _AWAY,
        ("postgresql",),
        held=marks.AWAY_TOLD,
    ),
    "postgres_connections_ended": Drill(
        DURABILITY,
        "All connections to PostgreSQL ended, 10 times, under load",
        f"{NOTHING_LOST}{_TOLD}; no restart of ours",
        _AWAY,
        ("postgresql",),
        held=marks.AWAY_TOLD,
    ),
    "postgres_full": Drill(
        DURABILITY,
        "All of PostgreSQL's connections taken by others for 10 s, 3 times, under load",
        f"{NOTHING_LOST}{_TOLD}; no restart of ours",
        _AWAY,
        ("postgresql",),
        held=marks.AWAY_TOLD,
    ),
    "restart": Drill(
        DURABILITY,
        "The documented restart (HUP), 10 times, then SIGTERM to web and worker, under load, with "
        "four live logs open",
        f"{NOTHING_LOST}0 of 10,000 requests fail; none that was sent is cut off by the stop, "
        "which takes 30 s at most",
        "{failed} of {requests:,} failed, the longest took {longest_s:.1f} s; {stop_cut_off} cut "
        "off by the stop, which took {stop_s:.1f} s; {lost} lost, {doubled} doubled",
        held=marks.RESTARTED,
    ),
    "twins": Drill(
        DURABILITY,
        "100 twins at once with one `Idempotency-Key`; with one `external_execution_id`; then the "
        "key with another body, also at once with the first",
        "1 event; 1 run that counts 100; 422, and nothing but that refusal is kept",
        "{events} event; {runs} run that counts {told}; {other_body}, {stored_more} events and "
        "{runs_more} runs more than wanted",
        held=marks.exactly(events=1, runs=1, told=100, other_body=422, stored_more=0, runs_more=0),
    ),
    "shuffled": Drill(
        DURABILITY,
        "10,000 events, shuffled and each sent twice, by 8 senders",
        "The same runs and rollups as once and in order",
        "{events:,} events: {runs_differ} of {runs:,} runs and {sums_differ} of {sums:,} sums "
        "differ",
        held=marks.at_most(runs_differ=0, sums_differ=0),
    ),
    "poison": Drill(
        DURABILITY,
        "An event among them that can't be processed (its payload is spoilt in the database)",
        "The others flow; it is given up after 5 attempts, told, and becomes a run by **Retry** "
        "once it is mended",
        "Given up after {attempts} attempts; on the overview: {is_told}, with its reason: "
        "{says_why}; a run after **Retry**: {retried}",
        held=marks.POISON_GIVEN_UP,
    ),
    "worker_down": Drill(
        DURABILITY,
        "The worker away for an hour with 10,000 events waiting (put back by an hour in the "
        "database), a third of them failures, with rules for failures and silences; under load",
        "All reports 202; without a worker their p99 is at most twice as long as with it; the lag "
        "is shown; all is worked off; 4 messages at most, no silence",
        "{accepted:,} × 202, {others} other answers; p99 {p99_before_ms:.0f} ms before, "
        "{p99_down_ms:.0f} ms without a worker; lag shown: {is_told}; {events:,} worked off in "
        "{drained_s:.0f} s; {messages} messages, {silences} silences",
        held=marks.WORKED_OFF,
        besides=(REACHED, "for information: p99 {p99_drain_ms:.0f} ms while they were worked off"),
    ),
}
