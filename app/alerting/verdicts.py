"""What judges see, and what they say of it: plain data, live and in a replay alike."""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from typing import Any, NamedTuple

from app.beginnings import mask_beginning
from app.redaction import mask_text


class Sign(Enum):
    """What one sight means for a rule."""

    OPENS = "opens an alert, or adds to the open one"
    ADDS = "adds to an open alert, and opens none"
    GOOD = "is a step towards the end of an open alert"
    NOTHING = "changes nothing"


class Findings(NamedTuple):
    """When there were findings: a part of all the moments that the judge has seen, rising."""

    moments: Sequence[datetime]
    begin: int
    end: int

    def count_after(self, moment: datetime) -> int:
        return self.end - bisect_right(self.moments, moment, self.begin, self.end)


@dataclass(frozen=True, slots=True)
class Verdict:
    """`count`: the findings that it stands for where it opens an alert; `new`: those that it adds
    to an open one. `since`: when that began, where this is earlier than `at`. `findings`: when
    those of `count` were, where an alert that goes on after its end may have counted some."""

    sign: Sign
    at: datetime
    since: datetime | None = None
    count: int = 1
    new: int = 1
    detail: dict[str, Any] = field(default_factory=dict)
    findings: Findings | None = None

    def count_after(self, moment: datetime) -> int:
        """The findings that an alert has not counted whose last one was then."""
        return self.count if self.findings is None else self.findings.count_after(moment)


class SeenRun(NamedTuple):
    """A run that has ended, as judges see it; the last three are known of those that are judged.

    Where its sender's clock is ahead, it ended when it was told of: it hides no later one.
    """

    id: int
    workflow_id: int
    outcome: str
    ended_at: datetime
    duration_ms: float | None
    public_id: str = ""
    error_type: str | None = None
    error_message: str | None = None


class SeenSilence(NamedTuple):
    """Whether a workflow is silent at a moment; `new`: the runs missed since the last look."""

    at: datetime
    is_silent: bool
    since: datetime | None = None
    expected_at: datetime | None = None
    missed: int = 0
    new: int = 0


class SeenStuck(NamedTuple):
    """How many runs of a workflow are stuck at a moment, and since when the first of them."""

    at: datetime
    stuck: int
    since: datetime | None = None
    new: int = 0
    runs: tuple[str, ...] = ()


class SeenRefused(NamedTuple):
    """How many of a workspace's requests were refused within the rule's window at a moment.

    Up to which of those stored, and to how many of those only counted, `new` has been told.
    """

    at: datetime
    refused: int
    new: int = 0
    up_to: int = 0
    unstored: int = 0


MOST_ERROR = 500
"""Characters of an error message that an alert keeps."""


def detail_of(run: SeenRun) -> dict[str, Any]:
    """What an alert keeps of the run that it is about: it is told to others, so without secrets."""
    return {
        "run": run.public_id,
        "error_type": run.error_type and mask_text(run.error_type),
        "error": mask_beginning(run.error_message or "", MOST_ERROR, mask_text) or None,
        "duration_ms": run.duration_ms,
    }
