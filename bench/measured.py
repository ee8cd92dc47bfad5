"""What was measured, where and when; the last of each part is kept under bench/results/."""

import json
import statistics
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from bench.machine import machine as machine

FOLDER = Path(__file__).parent / "results"

Round = dict[str, float]
"""One round's figures by name. `_ms`: milliseconds, `_mb`: MB, `rate`: per second."""
Progress = Callable[[str], None]


def today() -> str:
    return f"{datetime.now(UTC):%Y-%m-%d}"


@dataclass(frozen=True)
class Measured:
    """A part's rounds by subject, in the order in which they are shown."""

    rounds: int
    seconds: int
    subjects: dict[str, list[Round]]
    machine: str = field(default_factory=machine)
    date: str = field(default_factory=today)

    def all(self, subject: str, figure: str) -> list[float]:
        """The figure of each round that has it; empty for a subject that was not measured."""
        rounds = self.subjects.get(subject, [])
        return [each[figure] for each in rounds if figure in each]

    def median(self, subject: str, figure: str) -> float | None:
        values = self.all(subject, figure)
        return statistics.median(values) if values else None

    def ratios(self, subject: str, other: str, figure: str) -> list[float]:
        """How many times as much as the other's the subject's figure is, round by round: what a
        round's minute did to one, it did to both. Of the medians where rounds are no pairs."""
        one, two = self.all(subject, figure), self.all(other, figure)
        if len(one) != len(two) and one and two:
            one, two = [statistics.median(one)], [statistics.median(two)]
        return [each / base for each, base in zip(one, two, strict=False) if base]

    def ratio(self, subject: str, other: str, figure: str) -> float | None:
        """The median of `ratios`."""
        found = self.ratios(subject, other, figure)
        return statistics.median(found) if found else None

    def spread(self, subject: str, figure: str) -> tuple[float, float] | None:
        values = self.all(subject, figure)
        return (min(values), max(values)) if values else None


def keep(part: str, measured: Measured) -> None:
    FOLDER.mkdir(exist_ok=True)
    text = json.dumps(_rounded(asdict(measured)), indent=1)
    (FOLDER / f"{part}.json").write_text(text + "\n")


def last(part: str) -> Measured | None:
    """What the part measured when it last ran."""
    file = FOLDER / f"{part}.json"
    return Measured(**json.loads(file.read_text())) if file.exists() else None


def _rounded(value: object) -> object:
    if isinstance(value, float):
        return float(f"{value:.6g}")
    if isinstance(value, dict):
        return {name: _rounded(each) for name, each in value.items()}
    return [_rounded(each) for each in value] if isinstance(value, list) else value
