"""How durations are written for people, in pages and messages alike."""


def in_words(ms: float) -> str:
    """Milliseconds as `420 ms`, `1.2 s`, `2 min 5 s` or `3 h 4 min`."""
    if ms < 1_000:
        return f"{ms:.0f} ms"
    if ms < 59_950:
        return f"{ms / 1_000:.1f} s"
    return _in_two_units(round(ms / 1_000))


def _in_two_units(seconds: int) -> str:
    steps = ((86_400, "d", 3_600, "h"), (3_600, "h", 60, "min"), (60, "min", 1, "s"))
    size, unit, rest_size, rest_unit = next(step for step in steps if seconds >= step[0])
    whole, rest = divmod(seconds, size)
    rest //= rest_size
    return f"{whole} {unit} {rest} {rest_unit}" if rest else f"{whole} {unit}"
