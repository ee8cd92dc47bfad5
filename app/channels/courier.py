"""The courier: a thread of the worker that sends what waits in the outbox, several at a time."""

import logging
import queue
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import datetime

from flask import Flask

from app.channels.claims import RENEW_EVERY, Claim, claim, has_due, renew
from app.channels.deadline import TOTAL_SECONDS
from app.channels.kinds import KINDS
from app.channels.masking import mask, secrets_of
from app.channels.network import read_network
from app.channels.records import Outcome, record
from app.channels.sealing import UnreadableError, open_link, unseal
from app.channels.sending import Answer, DeliveryError, Sending
from app.clock import now
from app.extensions import OUTAGES, db, writing

PLACES = 16
"""Deliveries that are on their way at once."""
PLACES_FOR_FAILING = 8
IDLE_SECONDS = 0.25
OUTAGE_SECONDS = 1.0
STOP_SECONDS = TOTAL_SECONDS + 5
"""Longer than a try may take: what is on its way at SIGTERM is recorded."""

Job = Callable[[], Outcome]
logger = logging.getLogger(__name__)


class Courier:
    """Only its own thread uses the database; the threads that send know nothing of it."""

    def __init__(self) -> None:
        self._stopping = threading.Event()
        self._done: queue.SimpleQueue[Outcome] = queue.SimpleQueue()
        self._unrecorded: list[Outcome] = []
        self._on_their_way: dict[int, Claim] = {}
        self._renewed_at: datetime | None = None
        self._thread: threading.Thread | None = None

    def start(self, app: Flask) -> None:
        self._thread = threading.Thread(target=self._run, args=[app], name="courier", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Send nothing more, and wait for what is on its way."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join(STOP_SECONDS)

    def _run(self, app: Flask) -> None:
        with app.app_context():
            while not self._stopping.is_set() or self._on_their_way:
                try:
                    self.go_round()
                except OUTAGES as error:
                    logger.warning("The outbox can't be used, trying again: %s", error)
                    self._take_breath()
                except Exception:  # Nobody else would notice that this thread has ended.
                    logger.exception("A round of deliveries failed, trying again")
                    self._take_breath()
            db.session.remove()

    def _take_breath(self) -> None:
        db.session.rollback()
        time.sleep(OUTAGE_SECONDS)

    def go_round(self) -> None:
        """Record what has come back, keep the leases of the rest, and send what is due."""
        self._collect()
        self._record()
        self._renew()
        if self._stopping.is_set():
            return
        for each in self._claim():
            self._on_their_way[each.delivery_id] = each
            threading.Thread(target=self._send, args=[prepare(each)], daemon=True).start()

    def _send(self, job: Job) -> None:
        self._done.put(job())

    def _collect(self) -> None:
        """Waits a moment for the first; takes all that are there."""
        try:
            self._unrecorded.append(self._done.get(timeout=IDLE_SECONDS))
            while True:
                self._unrecorded.append(self._done.get_nowait())
        except queue.Empty:
            pass

    def _record(self) -> None:
        """One transaction each; one that the database refuses stays for the next round."""
        while self._unrecorded:
            outcome = self._unrecorded[0]
            record_one(outcome)
            self._unrecorded.pop(0)
            self._on_their_way.pop(outcome.claim.delivery_id, None)

    def _renew(self) -> None:
        moment = now()
        if not self._on_their_way:
            self._renewed_at = moment
        elif self._renewed_at is None or moment - self._renewed_at >= RENEW_EVERY:
            with writing() as session:
                renew(session, self._on_their_way, moment)
            self._renewed_at = moment

    def _claim(self) -> list[Claim]:
        on_their_way = self._on_their_way.values()
        failing = sum(each.is_failing for each in on_their_way)
        return claim_due(PLACES - len(on_their_way), PLACES_FOR_FAILING - failing)


def claim_due(places: int, places_for_failing: int) -> list[Claim]:
    """Asks without the write lock first."""
    is_due = places > 0 and has_due(db.session(), now())
    db.session.rollback()
    if not is_due:
        return []
    with writing() as session:
        return claim(session, now(), places, places_for_failing)


def record_one(outcome: Outcome) -> None:
    with writing() as session:
        record(session, outcome, now())
    if outcome.error:
        number, tries = outcome.claim.delivery_id, outcome.claim.attempts + 1
        logger.info("Delivery %d failed in try %d: %s", number, tries, outcome.error)


def prepare(claimed: Claim) -> Job:
    """What sends it: needs neither the database nor the app, and raises nothing."""
    try:
        message = replace(claimed.message, link=open_link(claimed.message.link))
        settings = (
            unseal(claimed.sealed_settings)
            if claimed.recipient is None
            else {"recipients": claimed.recipient}
        )
    except UnreadableError as error:
        failed = Outcome(claimed, now(), 0.0, None, None, str(error))
        return lambda: failed
    sending = Sending(message, settings, read_network(), claimed.reached)
    return lambda: _try(claimed, sending)


def _try(claimed: Claim, sending: Sending) -> Outcome:
    at, began = now(), time.perf_counter()
    secrets = list(_secrets(claimed, sending))
    try:
        answer = KINDS[claimed.kind].send(sending)
    except DeliveryError as error:
        words, answered, reached = mask(str(error), secrets), error.answer, error.reached
        problem = error.problem
    except Exception as error:  # Whatever it is, it is this delivery's alone.
        words, answered, reached = mask(f"{type(error).__name__}: {error}", secrets), None, ()
        problem = None
    else:
        return Outcome(claimed, at, _ms(began), answer.status, mask(answer.text, secrets), None)
    answered = answered or Answer(None, "")
    text = mask(answered.text, secrets) or None
    return Outcome(claimed, at, _ms(began), answered.status, text, words, reached, problem)


def _secrets(claimed: Claim, sending: Sending) -> Iterable[str]:
    yield from secrets_of(claimed.kind, sending.settings)
    if sending.message.link != claimed.message.link:
        yield sending.message.link
    if sending.network.mail_server is not None:
        yield sending.network.mail_server.password


def _ms(began: float) -> float:
    return (time.perf_counter() - began) * 1000
