"""Whether a key may be unknown only since this machine has another secret key than the others."""

import logging
import time

from app.ingest.store import Store
from app.keys import mark_secret

LOOK_SECONDS = 5.0
FIND_MARK = "SELECT secret_mark FROM instance"

logger = logging.getLogger(__name__)


class SecretCheck:
    """One per app; looks every few seconds at most, and only when it is asked."""

    def __init__(self, store: Store, secret: bytes) -> None:
        self._store = store
        self._mark = mark_secret(secret)
        self._looked_at: float | None = None
        self._is_foreign = False

    def is_foreign(self) -> bool:
        """Whether the database's keys were made with another secret key; raises OUTAGES."""
        moment = time.monotonic()
        if self._looked_at is None or moment - self._looked_at >= LOOK_SECONDS:
            row = self._store.fetch_one(FIND_MARK)
            self._looked_at = moment
            self._is_foreign = row is not None and row[0] not in (None, self._mark)
            if self._is_foreign:
                logger.error("This machine has another secret key than the database's other ones")
        return self._is_foreign
