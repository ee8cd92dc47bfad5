"""What is wrong with a form is gathered and refused at once, whichever form it is."""

import pytest

from app.workspaces.mistakes import Mistakes, RefusedError


def test_all_mistakes_are_told_by_field_before_and_when_they_are_refused() -> None:
    mistakes = Mistakes()
    assert mistakes.errors == {}
    mistakes.refuse()
    mistakes.add("minutes", "Too few.", "No number.")
    with mistakes.noted():
        raise RefusedError("name", "Taken.", [RefusedError("minutes", "Odd.")])
    told = {"minutes": ["Too few.", "No number.", "Odd."], "name": ["Taken."]}
    assert mistakes.errors == told
    with pytest.raises(RefusedError) as refused:
        mistakes.refuse()
    assert refused.value.errors == told
