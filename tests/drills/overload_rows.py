"""The rows of docs/reliability.md about overload."""

from collections.abc import Iterable

from tests.drills import marks
from tests.drills.rows import OVERLOAD, REACHED, Drill


def _list(statuses: Iterable[int]) -> str:
    *first, last = map(str, sorted(statuses))
    return f"{', '.join(first)} or {last}"


OVERLOADS: dict[str, Drill] = {
    "slow_sockets": Drill(
        OVERLOAD,
        "1,000 connections that idle, send half a head or no body, send or take a byte a second, "
        "or take nothing of an answer or of a live log",
        "good requests' p99 within 1 s; closed after 15 to 30 s, but for the 40 or so that take a "
        "live log a byte a second, which is what one may do with it",
        "{requests:,} good requests, p99 {p99_ms:.0f} ms; closed after {first_closed_s:.0f} to "
        "{last_closed_s:.0f} s, {open} left open",
        held=marks.SLOW_CLOSED,
        besides=("the last: {last_kind}", REACHED),
    ),
    "large_bodies": Drill(
        OVERLOAD,
        "50 bodies of 10 MB at once, with a length and in chunks: events, batches and forms",
        "413, or 401 without a key; at most 20 MB more memory",
        "{more_mb:.1f} MB more at most ({worst})",
        held=marks.BODIES_REFUSED,
    ),
    "bombs": Drill(
        OVERLOAD,
        "Nesting of 100,000 levels, numbers of 1,000,000 digits, packed zeros, names, escapes, "
        "parts, headers, cookies",
        f"bodies: {_list(marks.BODY_REFUSED)}; where a form's content is read what that deserves "
        f"({_list(marks.FORM_READ)}), 410 once all is set up, 401 or 429 without a key, 202 to a "
        f"ping, which takes any text; heads: {_list(marks.HEAD_REFUSED)} where they are too large, "
        f"else any answer but a 5xx or none; each within {marks.MOST_BOMB_MS:.0f} ms, by the "
        f"quickest of up to {marks.BOMB_TRIES} tries, since what the machine does besides is no "
        "fault of the request; none has it compute for longer",
        "{bombs} tried, the slowest {slowest_ms:.0f} ms ({slowest}), half of them within "
        "{median_ms:.0f} ms",
        held=marks.BOMBS_REFUSED,
        besides=("the server computed {most_computed_ms:.0f} ms for one try at most",),
    ),
    "flood_without_key": Drill(
        OVERLOAD,
        "10,000 requests a second without a key, offered for 5 minutes",
        "disk bounded, all counted; a good key's p99 within 2 s, all of its requests "
        "taken; the log's page within 1 s",
        "{sent:,} of {offered:,} taken and {shown:,} counted; {more_mb:.0f} MB more on disk; "
        "another key's p99 {good_p99_ms:.0f} ms, {good:,} taken and {good_others} not; the page "
        "{page_ms:.0f} ms at most",
        held=marks.KEYLESS_FLOOD_HELD,
    ),
    "flood_with_one_key": Drill(
        OVERLOAD,
        "2,000 events a second with one key",
        "429 with Retry-After, all counted; another key's p99 within 2 s, all of its "
        "requests taken",
        "{sent:,} sent, {refused:,} refused, {with_retry_after:,} told when to come again, "
        "{shown:,} counted; another key's p99 {good_p99_ms:.0f} ms, {good:,} taken "
        "and {good_others} not",
        held=marks.FLOOD_OF_ONE_KEY_HELD,
    ),
    "load_for_an_hour": Drill(
        OVERLOAD,
        "An hour of load",
        "memory at most 10 % more; file descriptors as many",
        "{accepted:,} answered with 202: {lost} lost, {doubled} doubled; {before_mb:.0f} MB after "
        "5 minutes, {after_mb:.0f} MB at the end ({growth_percent:+.1f} %); "
        "{before_descriptors:.0f} descriptors, then {after_descriptors:.0f}",
        held=marks.is_flat,
    ),
}
