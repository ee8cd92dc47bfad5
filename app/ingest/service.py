"""What ingest works with in this process: the store, the recorder, the limits."""

from dataclasses import dataclass
from typing import cast

from flask import Flask, current_app

from app.extensions import db
from app.ingest.limits import Limits
from app.ingest.recorder import Recorder
from app.ingest.store import Store, open_store


@dataclass(frozen=True, slots=True)
class IngestService:
    store: Store
    recorder: Recorder
    limits: Limits

    def close(self) -> None:
        """Write what is still in memory, and let go of the database; for a process's end."""
        self.limits.close()
        self.recorder.close()
        self.store.close()


def init_ingest(app: Flask) -> None:
    """One service per app; it opens connections and starts threads only when used."""
    with app.app_context():
        store = open_store(db.engine.url)
    app.extensions["flowpulse_ingest"] = IngestService(
        store, Recorder(store), Limits(store, app.config)
    )


def ingest_service() -> IngestService:
    return cast(IngestService, current_app.extensions["flowpulse_ingest"])
