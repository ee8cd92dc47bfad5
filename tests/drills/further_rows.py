"""Drills of other things than what the issue of faults names, as rows of docs/reliability.md."""

from tests.drills import marks
from tests.drills.rows import NOTHING_LOST, OTHERS, RECKONED, Drill

FURTHER: dict[str, Drill] = {
    "deliveries": Drill(
        OTHERS,
        "50 failures, each with a rule and a signed webhook; for each the worker is killed before "
        "the decision, after it, while the other side works on the message, or once that has "
        "answered and before the try is recorded",
        "One alert and one message each, which arrives; what arrives twice (it must happen) has "
        "the same id, body and address, and a right signature",
        "{alerts} alerts, {arrived} arrived, {doubles} doubles by the same ids",
        held=marks.exactly(alerts=50, arrived=50),
    ),
    "storm": Drill(
        OTHERS,
        "10,000 failures within a minute, and 500 more after it, with a rule over them",
        "One alert and then a digest, with exact counts",
        "{failures:,} failures: {counted:,} counted, {messages} messages",
        held=marks.STORM_COUNTED,
    ),
    "kill_mid_batch": Drill(
        OTHERS,
        "kill -9 of all web processes in the midst of batches of 1 to 500 events, 30 times",
        "0 batches lost, none there by halves; sent again with its key it is there once",
        "{batches:,} answered with 202: {lost} lost, {halves} by halves",
        held=marks.at_most(lost=0, halves=0),
    ),
    "set_up": Drill(
        OTHERS,
        "50 people send the set-up form at the same moment",
        "One becomes the owner; 49 are told that it is done",
        "{owners} owner, {told} told",
        held=marks.exactly(owners=1, told=49),
    ),
    **{
        f"machines_{kind}": Drill(
            OTHERS,
            f"Three machines ({words}) start at once on an empty PostgreSQL; nine senders report "
            "without a pause, each with an `Idempotency-Key`, and send again to another machine "
            "what one does not take. One machine loses its power; later another one is cut off "
            "from the database, and joined again",
            f"{NOTHING_LOST}one migrates; the live log of the first has told or counted each "
            "event once, in order; who is cut off answers 503 within 20 s, and takes events again "
            "once it is joined",
            f"{RECKONED}an event waited {{lag_s:.1f}} s at most for a worker; who was cut off "
            "answered 503 within {longest_s:.1f} s; the first took events without a pause longer "
            "than {pause_s:.1f} s",
            ("postgresql",),
            held=marks.MACHINES_TOLD,
        )
        for kind, words in (("namespaces", "network namespaces"), ("addresses", "addresses"))
    },
    "live_log": Drill(
        OTHERS,
        "Eight processes write 100,000 events, in commits of 1 to 60, while the live logs of two "
        "others follow",
        "Both are told of each event once, in the order of ids, and of at least "
        f"{marks.AMOUNTS['live_log']['told']} by a row each, not only by a count",
        "{events:,} written in {written_s} s; both had told or counted all after {told_s} s",
        held=marks.exactly(events=100_000, processes=8),
        besides=("{told:,} of them by rows",),
    ),
    "second_start": Drill(
        OTHERS,
        "`make run` on a machine that has run it before",
        "The first answer within 5 s, on a quiet machine",
        "{seconds:.1f} s",
        ("sqlite",),
        held=marks.at_most(seconds=marks.SECOND_START_SECONDS),
    ),
    "fuzz_requests": Drill(
        OTHERS,
        "Mutated bodies are sent down the whole road",
        f"{marks.AMOUNTS['fuzz_requests']['requests']:,} at least; 202, 400 or 404, never a 500; "
        "what was accepted can be processed",
        "{requests:,} requests, {crashes} × 500",
        held=marks.at_most(crashes=0),
    ),
}
