"""What the drills found: one file a drill, from which docs/reliability.md is drawn."""

import json
import os
import sys
from datetime import UTC, datetime
from pathlib import Path

Figure = int | float | str
FOLDER = Path(__file__).parent / "results"


def record(drill: str, database: str, **figures: Figure) -> None:
    """Keep what a drill measured on a database, `sqlite` or `postgresql`, in place of the last.

    Call it before the pass mark is asserted: a run that fails is told of as well. `drill` is one of
    `tests.drills.reliability.DRILLS`, whose template names the figures. `load` is the machine's
    load average of the last minute over its processors.
    """
    found, processors = read(drill), os.cpu_count() or 1
    found[database] = {
        **figures,
        "date": datetime.now(UTC).date().isoformat(),
        "machine": f"{processors} processors, Python {sys.version_info[0]}.{sys.version_info[1]}",
        "load": round(os.getloadavg()[0] / processors, 1),
    }
    FOLDER.mkdir(exist_ok=True)
    text = json.dumps(found, indent=1, sort_keys=True)
    (FOLDER / f"{drill}.json").write_text(text + "\n", encoding="utf-8")


def read(drill: str) -> dict[str, dict[str, Figure]]:
    """The last figures of a drill by database; empty where it was never run."""
    file = FOLDER / f"{drill}.json"
    return json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
