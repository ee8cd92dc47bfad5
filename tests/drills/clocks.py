"""Clocks that a drill sets while servers run: this machine's, or that of a PostgreSQL."""

from pathlib import Path
from typing import Any

from tests.postgres import PostgresCluster
from tests.programs import find
from tests.server import ROOT

SHIM = ROOT / "tests" / "drills" / "shifted"


class MachineClock:
    """What all processes of a server read that is started with these settings."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "clock"
        self.set(0)

    @property
    def settings(self) -> dict[str, str]:
        return {"PYTHONPATH": f"{SHIM}:{ROOT}", "FLOWPULSE_TEST_CLOCK": str(self._file)}

    def set(self, seconds: float) -> None:
        """Have it be so much ahead, from within a tenth of a second on."""
        draft = self._file.with_suffix(".new")
        draft.write_text(str(seconds))
        draft.replace(self._file)


class PostgresWithClock(PostgresCluster):
    """Its clock is shifted by libfaketime, else it raises MissingError. `durable` as
    PostgresCluster's."""

    def __init__(self, durable: bool = False) -> None:
        self._library = find("libfaketime")
        super().__init__(durable=durable)
        self._file.chmod(0o644)

    def _identity(self) -> dict[str, Any]:
        self._file = self.root / "clock"
        if not self._file.exists():
            self.set(0)
        shifted = {
            "LD_PRELOAD": str(self._library),
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            "FAKETIME_NO_CACHE": "1",
            "DONT_FAKE_MONOTONIC": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        }
        return {**super()._identity(), "env": shifted}

    def set(self, seconds: float) -> None:
        """As MachineClock's."""
        self._file.write_text(f"{seconds:+.0f}\n")
