"""Which secret key a database's API keys and channels were made with: each machine needs it."""

from flask import current_app
from sqlalchemy import select

from app.extensions import db, writing
from app.invocation import shell_command
from app.keys import mark_secret
from app.models import Instance

EXPLANATION = (
    "This machine's secret key is not the one that this database's API keys were made with: it "
    "would refuse them all. Give every machine the same FLOWPULSE_SECRET_KEY: that of a machine "
    "which works or, where none is set there, what its data folder's file secret_key holds."
)
REPLACE = (
    "To replace the key, put the former one into FLOWPULSE_OLD_SECRET_KEYS; where that is lost, "
    f"run: {shell_command('prepare --new-secret-key')}. All API keys have to be made anew then."
)


class ForeignSecretError(Exception):
    """The database's keys were made with another secret key; the message says what to do."""

    def __init__(self) -> None:
        super().__init__(f"{EXPLANATION} {REPLACE}")


def is_foreign() -> bool:
    """Whether the database is known to belong to another secret key than ours."""
    kept = db.session.scalar(select(Instance.secret_mark))
    return kept is not None and kept != _own_mark()


def is_ours(mark: str | None) -> bool:
    """Whether a database with this mark can be used with our secret key, or a former one of ours;
    with none, that is not known."""
    return mark is None or mark == _own_mark() or mark in _former_marks()


def adopt_secret(is_new: bool = False) -> None:
    """Keep our secret key's mark where none is kept, or that of a former key of ours.

    Raises ForeignSecretError where another one's is, unless it is told to be new.
    """
    kept = db.session.execute(select(Instance.secret_mark)).first()
    if kept is None or kept[0] == _own_mark():  # Not set up yet: whoever does so keeps its mark.
        return
    if not (kept[0] is None or is_new or kept[0] in _former_marks()):
        raise ForeignSecretError
    with writing() as session:
        instance = session.scalars(select(Instance).with_for_update()).one()
        if instance.secret_mark not in (kept[0], _own_mark()):
            raise ForeignSecretError  # Another machine was quicker.
        instance.secret_mark = _own_mark()


def _own_mark() -> str:
    return mark_secret(current_app.config["FLOWPULSE_KEY_SECRET"])


def _former_marks() -> set[str]:
    return {mark_secret(each.encode()) for each in current_app.config["FLOWPULSE_OLD_SECRET_KEYS"]}
