"""What ingest works with in this process: the store, the recorder, the limits."""

from dataclasses import dataclass
from typing import cast

from flask import Flask, current_app

from app.extensions import db
from app.ingest.limits import Limits
from app.ingest.recorder import Recorder
from app.ingest.records import NewEvent
from app.ingest.secret_check import SecretCheck
from app.ingest.store import Store
from app.ingest.stores import open_store
from app.ingest.together import BatchRecorder
from app.ingest.usage import KeyUsageCounter
from app.time_limit import hurry_senders


@dataclass(frozen=True, slots=True)
class IngestService:
    """The settings stand here too: a request asks for them in a tenth of a microsecond."""

    store: Store
    recorder: Recorder
    batches: BatchRecorder
    limits: Limits
    usage: KeyUsageCounter
    secret: SecretCheck
    key_secret: bytes
    max_body_bytes: int
    body_timeout_seconds: int
    max_json_depth: int

    def close(self) -> None:
        """Write what is still in memory, and let go of the database; for a process's end."""
        self.recorder.close()
        self.limits.close()
        self.usage.close()
        self.store.close()


def init_ingest(app: Flask) -> None:
    """One service per app; it opens connections and starts threads only when used."""
    with app.app_context():
        store = open_store(db.engine.url)
    limits = Limits(store, app.config)

    def count_lost(event: NewEvent) -> None:
        limits.count_unstored(event.workspace_id, event.code or "")

    app.extensions["flowpulse_hurry"] = hurry_senders
    app.extensions["flowpulse_ingest"] = IngestService(
        store,
        Recorder(store, count_lost),
        BatchRecorder(store),
        limits,
        KeyUsageCounter(store),
        SecretCheck(store, app.config["FLOWPULSE_KEY_SECRET"]),
        key_secret=app.config["FLOWPULSE_KEY_SECRET"],
        max_body_bytes=app.config["FLOWPULSE_MAX_BODY_BYTES"],
        body_timeout_seconds=app.config["FLOWPULSE_BODY_TIMEOUT_SECONDS"],
        max_json_depth=app.config["FLOWPULSE_MAX_JSON_DEPTH"],
    )


def ingest_service() -> IngestService:
    return cast(IngestService, current_app.extensions["flowpulse_ingest"])
