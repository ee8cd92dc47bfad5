"""The workflow that a wrong reference was probably meant to name."""

from difflib import SequenceMatcher

_CLOSE_ENOUGH = 0.6


def closest_slug(value: str, known: list[tuple[str, str]]) -> str | None:
    """The slug of the workflow whose slug or name is closest to the value, if one is close.

    `known`: slug and name of each. The same as difflib's `get_close_matches` finds, but those that
    may be closest are compared first, and the others not at all: of hundreds of workflows with
    names like each other, each would be.
    """
    slugs = {text.lower(): slug for slug, name in known for text in (name, slug)}
    matcher = SequenceMatcher(b=value[:255].lower())
    likely = [(bound, text) for text in slugs if (bound := _bound(matcher, text)) >= _CLOSE_ENOUGH]
    best = (_CLOSE_ENOUGH, "")
    for bound, text in sorted(likely, reverse=True):
        if bound < best[0]:
            break
        matcher.set_seq1(text)
        best = max(best, (matcher.ratio(), text))
    return slugs.get(best[1])


def _bound(matcher: SequenceMatcher[str], text: str) -> float:
    """How close it is at most: by its length, then by its letters."""
    matcher.set_seq1(text)
    by_length = matcher.real_quick_ratio()
    return by_length if by_length < _CLOSE_ENOUGH else matcher.quick_ratio()
