"""Where in a text the numbers of payment cards stand (ISO/IEC 7812-1), also in groups of digits."""

import re
from collections.abc import Iterator, Sequence
from itertools import accumulate

Span = tuple[int, int]

_DIGITS = re.compile(
    r"(?=[0-9][0-9 \u00a0\u202f-]{12})"  # Shorter ones are none: a megabyte may be full of them.
    r"[0-9]{2,19}(?:[ \u00a0\u202f-][0-9]{2,19})*+"
)
_DOTTED = re.compile(r"(?<![\w.])[0-9]{4}(?:\.[0-9]{4}){3}(?!\w|\.[0-9])")
_GROUP = re.compile(r"[0-9]+")
_GLUED_BEFORE, _GLUED_BEHIND = (  # Digits are then a part of an id, or of a fraction.
    re.compile(each) for each in (r"(?:\w|[0-9]\.)\Z", r"\w|\.(?!0++(?![0-9]))[0-9]")
)
_LEAST, _MOST = 13, 19
_ISSUER = re.compile(r"3[0-9]|4|5[0-9]|6[0-9]|2[2-7]")  # ISO/IEC 7812; times begin otherwise.
_DOUBLED = (0, 2, 4, 6, 8, 1, 3, 5, 7, 9)


def find_cards(text: str) -> Iterator[Span]:
    """Takes time in proportion to the text."""
    for dotted in _DOTTED.finditer(text) if "." in text else ():
        if is_card_number(dotted[0].replace(".", "")):
            yield dotted.span()
    for run in _DIGITS.finditer(text):
        start, end = run.span()
        if end - start < _LEAST or _GLUED_BEFORE.search(text, max(0, start - 2), start):
            continue
        if not _GLUED_BEHIND.match(text, end):
            yield from ((start + begin, start + end) for begin, end in _find_in_groups(run[0]))


def is_card_number(digits: str) -> bool:
    """By length, issuer and check digit (ISO/IEC 7812-1, annex B)."""
    return list(_find_in_groups(digits)) == [(0, len(digits))]


def _find_in_groups(run: str) -> Iterator[Span]:
    """Each number of whole groups that is a card's, the longest from each place, so that what
    stands before it hides none."""
    groups = [found.span() for found in _GROUP.finditer(run)]
    digits = "".join([run[start:end] for start, end in groups])
    checks = _add_up_checks(digits)
    ends = list(accumulate((end - start for start, end in groups), initial=0))
    first = last = 0
    while first < len(groups):
        begin, found = ends[first], first
        while last < len(groups) and ends[last] - begin < _LEAST:
            last += 1
        if _ISSUER.match(digits, begin):
            for at in range(last, len(ends)):
                end = ends[at]
                if end - begin > _MOST:
                    break
                check = checks[end % 2]
                if end - begin >= _LEAST and (check[end] - check[begin]) % 10 == 0:
                    found = at
        if found > first:
            yield groups[first][0], groups[found - 1][1]
        first = found if found > first else first + 1


def _add_up_checks(digits: str) -> tuple[Sequence[int], Sequence[int]]:
    """The sums up to each digit, of numbers that end behind an even and an odd number of digits:
    with them each number's check takes two steps."""
    values = [ord(sign) - 48 for sign in digits]
    even, odd = values[:], values[:]
    even[0::2] = [_DOUBLED[each] for each in values[0::2]]
    odd[1::2] = [_DOUBLED[each] for each in values[1::2]]
    return list(accumulate(even, initial=0)), list(accumulate(odd, initial=0))
