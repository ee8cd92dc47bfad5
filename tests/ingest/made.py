"""What reports have made: their events, and the runs that these become."""

from sqlalchemy import select

from app.extensions import db
from app.ingest.service import ingest_service
from app.models import Event, Run
from app.processing.batch import process_batch


def runs() -> list[Run]:
    while process_batch(200):
        pass
    db.session.rollback()
    return list(db.session.scalars(select(Run).order_by(Run.id)))


def events() -> list[Event]:
    ingest_service().recorder.flush()
    db.session.rollback()
    return list(db.session.scalars(select(Event).order_by(Event.id)))
