"""One kind of test event: what it sends, and what it shows."""

from dataclasses import dataclass

from app.console.test_bodies import Make
from app.console.test_suppositions import Suppose, nothing
from app.problems import PROBLEMS

SUCCESS, FAILURE = "run-success", "run-failure"
_CODES = {"body": "invalid_json", "field": "validation_failed"}
"""What the rows of these kinds are refused with; the others with their own code."""


@dataclass(frozen=True, slots=True)
class TestEvent:
    """A request to try: `make` gives its body from that of a good one, `before` the body of
    another that is sent first.

    `finding` is the row of the troubleshooting table that it shows, its name if not given; `{new}`
    in a header is another text each time. `supposed` says what `suppose` takes for granted.
    """

    name: str
    make: Make
    kind: str = SUCCESS
    finding: str = ""
    label: str = ""
    headers: tuple[tuple[str, str], ...] = ()
    before: Make | None = None
    suppose: Suppose = nothing
    supposed: str = ""

    __test__ = False  # For pytest, which takes a class of this name for tests.

    @property
    def shows(self) -> str:
        return self.finding or self.name

    @property
    def title(self) -> str:
        return self.label or PROBLEMS[self.shows].title

    @property
    def is_explained(self) -> bool:
        """Whether the troubleshooting table has a row for it; what is simply good needs none."""
        return self.shows in PROBLEMS

    @property
    def code(self) -> str | None:
        """What it is refused with; None where it is taken."""
        problem = PROBLEMS.get(self.shows)
        if problem is None or problem.status < 400:
            return None
        return _CODES.get(problem.kind, problem.code)


@dataclass(frozen=True, slots=True)
class Group:
    """Kinds that belong together."""

    label: str
    tests: tuple[TestEvent, ...]
