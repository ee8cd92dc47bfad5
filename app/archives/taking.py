"""Takes an archive's workspace in: all of it, or nothing.

Rows come in batches that hold the write lock for a moment each, under an id that only an import
has, without members, and with keys that open nothing. What the worker would act on comes in the
last transaction, which also makes the workspace what it is. Whatever fails before removes it again.
"""

import fcntl
import hashlib
import math
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

from flask import current_app
from sqlalchemy import func, insert, select, update
from sqlalchemy.exc import DataError, IntegrityError
from sqlalchemy.orm import Session

from app.archives.ids import Numbers
from app.archives.layout import MOVED, PARTS, ArchiveError, Part, points_to
from app.archives.reading import Archive, Values
from app.archives.values import is_added_up
from app.clock import now
from app.database_errors import strip_values
from app.extensions import db, is_sqlite, writing
from app.keys import mark_secret
from app.models import ApiKey, Membership, Schedule, Workflow, Workspace
from app.processing.erasing import list_removals
from app.processing.sweeping import remove_now
from app.workspaces.audit import note
from app.workspaces.settings import LONGEST_DAYS

BATCH = 100
REST_SECONDS = 0.01
"""Between two batches, so that senders have their turn."""
ENTER_AGAIN = "It came with an import, which has no settings of channels. Enter them again."
SUM_ACCURACY = 1e-9
LOCK_ENDING = ".import-lock"
"""Behind the name of the database's file."""
_LOCK = 0x666C_6F77_696D_7077


class Taken(NamedTuple):
    """What has come, by part the number of rows."""

    public_id: str
    name: str
    keys_work: bool
    rows: dict[str, int]


def take_in(archive: Archive, owner_id: int) -> Taken:
    """Raises ArchiveError."""
    archive.check_all()
    with _alone():
        return _take_in(archive, owner_id)


@contextmanager
def _alone() -> Iterator[None]:
    """Two imports of one file would each remove what the other has taken in. Raises ArchiveError.

    On PostgreSQL a transaction of its own keeps the lock, which reads nothing.
    """
    message = "Another import is under way. Try again once it has ended."
    if is_sqlite():
        with Path(f"{db.engine.url.database}{LOCK_ENDING}").open("a") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise ArchiveError(message) from error
            yield
        return
    with db.engine.connect() as connection:
        taken = connection.execute(select(func.pg_try_advisory_xact_lock(_LOCK))).scalar_one()
        connection.exec_driver_sql("SET LOCAL idle_in_transaction_session_timeout = 0")
        if not taken:
            raise ArchiveError(message)
        yield


def _take_in(archive: Archive, owner_id: int) -> Taken:
    public_id = str(archive.manifest["workspace"]["id"])
    _refuse_known(public_id)
    import_id = make_import_id(public_id)
    _clear(import_id)
    try:
        return _Taking(archive, import_id).take(owner_id)
    except BaseException as error:
        _clear(import_id)
        if isinstance(error, IntegrityError | DataError):
            strip_values(error)
            raise ArchiveError(
                f"The database refuses a row: {error.orig}. It is here already in another "
                "workspace, or was altered. Nothing was taken in."
            ) from error
        raise


def make_import_id(public_id: str) -> str:
    """The workspace's id until all of it is here: the same for each try."""
    return hashlib.sha256(f"import of {public_id}".encode()).hexdigest()[:24]


def _refuse_known(public_id: str) -> None:
    if db.session.scalar(select(Workspace.id).where(Workspace.public_id == public_id)):
        raise ArchiveError(f"The workspace {public_id} is here already. Nothing was taken in.")
    db.session.rollback()


def _clear(import_id: str) -> None:
    """Remove what a try before has left."""
    db.session.rollback()
    left = db.session.scalar(select(Workspace.id).where(Workspace.public_id == import_id))
    if left is not None:
        remove_now(list_removals(left))


def _in_batches(rows: Iterator[Values]) -> Iterator[list[Values]]:
    while some := list(islice(rows, BATCH)):
        yield some


class _Taking:
    """One import under way."""

    def __init__(self, archive: Archive, import_id: str) -> None:
        self._archive, self._import_id = archive, import_id
        self._numbers = Numbers(archive.manifest["ids"])
        self._keys: dict[int, Values] = {}
        self._badges: dict[str, str] = {}
        self._workspace: Values = {}
        mark = mark_secret(current_app.config["FLOWPULSE_KEY_SECRET"])
        self._keys_work = archive.manifest["secret_mark"] == mark

    def take(self, owner_id: int) -> Taken:
        self._numbers.reserve()
        for part in PARTS:
            if not part.is_live:
                for rows in _in_batches(self._archive.read(part)):
                    with writing() as session:
                        self._insert(session, part, rows)
                    time.sleep(REST_SECONDS)
        self._compare(db.session(), is_live=False)
        with writing() as session:
            for part in PARTS:
                if part.is_live:
                    for rows in _in_batches(self._archive.read(part)):
                        self._insert(session, part, rows)
            self._compare(session, is_live=True)
            self._finish(session, owner_id)
        counts = {part.name: self._archive.rows(part) for part in PARTS}
        return Taken(self._workspace["public_id"], self._workspace["name"], self._keys_work, counts)

    @property
    def _id(self) -> int:
        return self._numbers.find("workspaces", self._workspace["id"])

    def _insert(self, session: Session, part: Part, rows: list[Values]) -> None:
        table = part.table
        prepared = [self._prepare(part, dict(row)) for row in rows]
        if table.name in Numbers.NAMED:
            for row, values in zip(rows, prepared, strict=True):
                done = session.connection().execute(insert(table).values(values))
                key = done.inserted_primary_key
                self._numbers.note(table.name, row["id"], key[0] if key else 0)
        else:
            session.execute(insert(table), prepared)

    def _prepare(self, part: Part, values: Values) -> Values:
        table = part.table
        for column in table.columns:
            name = column.name
            target = points_to(column)
            if target and name in values and values[name] is not None:
                values[name] = self._numbers.translate(part, column, target, values[name])
        if table.name in MOVED:
            values["id"] = self._numbers.find(table.name, values["id"])
        elif "id" in table.columns and part.name != "workspaces":
            values.pop("id")
        change = _CHANGES.get(part.name)
        if change:
            change(self, values)
        return values

    def _change_workspace(self, values: Values) -> None:
        """Kept for as long as can be until it is whole."""
        self._workspace = dict(values)
        values.pop("id")
        days = dict.fromkeys(("rejected_days", "event_days", "failure_days"), LONGEST_DAYS)
        values |= {"public_id": self._import_id, **days}

    def _change_workflow(self, values: Values) -> None:
        """Until the end it has no badge."""
        if values["badge_token"] is not None:
            self._badges[values["public_id"]] = values["badge_token"]
            values["badge_token"] = None

    def _change_key(self, values: Values) -> None:
        """Until the end it opens nothing."""
        kept = {name: values[name] for name in ("key_hash", "revoked_at", "public_id")}
        self._keys[len(self._keys)] = kept
        values["key_hash"] = secrets.token_hex(32)
        values["revoked_at"] = values["revoked_at"] or now()
        if values["workflow_ids"] is not None:
            values["workflow_ids"] = self._numbers.translate_workflows(values["workflow_ids"])

    def _change_channel(self, values: Values) -> None:
        values |= {"sealed_settings": "", "disabled_at": now(), "disabled_why": ENTER_AGAIN}
        values["failing_since"] = None

    def _change_run(self, values: Values) -> None:
        values["kept_from"] = self._numbers.move_ranks(values["kept_from"])

    def _change_waiting(self, values: Values) -> None:
        values["next_attempt_at"] = now()

    def _compare(self, session: Session, is_live: bool) -> None:
        """What has arrived, counted and added up by the database. Raises ArchiveError."""
        for part in PARTS:
            if not part.is_steady or part.is_live != is_live or part.name == "workspaces":
                continue
            told = self._archive.manifest["tables"][part.name]
            summed = [each for each in part.table.columns if each.name in part.columns]
            summed = [each for each in summed if is_added_up(each)]
            query = select(func.count(), *(func.sum(each) for each in summed))
            count, *sums = session.execute(query.where(part.mine(self._id))).one()
            same = (
                math.isclose(told["sums"][column.name], sum_ or 0, rel_tol=SUM_ACCURACY)
                for column, sum_ in zip(summed, sums, strict=True)
            )
            if count != told["rows"] or not all(same):
                raise ArchiveError(
                    f"{part.name}: {told['rows']:,} rows were read and {count:,} have arrived, or "
                    "their sums differ. Nothing was taken in."
                )

    def _finish(self, session: Session, owner_id: int) -> None:
        """Make it a workspace like all others."""
        workspace_id = self._id
        names = ("public_id", "rejected_days", "event_days", "failure_days")
        own = {name: self._workspace[name] for name in names}
        session.execute(update(Workspace).where(Workspace.id == workspace_id).values(own))
        session.add(Membership(workspace_id=workspace_id, user_id=owner_id, role="owner"))
        if self._keys_work:
            self._give_keys_back(session)
        self._give_badges_back(session)
        self._expect_anew(session, workspace_id)
        session.flush()
        session.expire_all()
        workspace = session.get_one(Workspace, workspace_id)
        note(session, "workspace_imported", workspace_id, workspace, {"keys": self._keys_work})

    def _give_keys_back(self, session: Session) -> None:
        """But for one that another workspace here has."""
        hashes = [each["key_hash"] for each in self._keys.values()]
        taken = set(session.scalars(select(ApiKey.key_hash).where(ApiKey.key_hash.in_(hashes))))
        for kept in self._keys.values():
            if kept["key_hash"] not in taken:
                given = {name: kept[name] for name in ("key_hash", "revoked_at")}
                mine = ApiKey.public_id == kept["public_id"]
                session.execute(update(ApiKey).where(mine).values(given))

    def _give_badges_back(self, session: Session) -> None:
        """The same: where they are shown, a new host name is all that they need."""
        for public_id, token in self._badges.items():
            mine, here = Workflow.public_id == public_id, Workflow.badge_token == token
            if session.scalar(select(Workflow.id).where(here)) is None:
                session.execute(update(Workflow).where(mine).values(badge_token=token))

    def _expect_anew(self, session: Session, workspace_id: int) -> None:
        """What was due while the workspace was on its way is not missing."""
        moment = now()
        late = select(Schedule).join(Workflow).where(Workflow.workspace_id == workspace_id)
        for schedule in session.scalars(late.where(Schedule.overdue_at <= moment)):
            schedule.expect(schedule.timetable.after_time(moment))


_CHANGES: dict[str, Any] = {
    "workspaces": _Taking._change_workspace,
    "workflows": _Taking._change_workflow,
    "api_keys": _Taking._change_key,
    "channels": _Taking._change_channel,
    "runs": _Taking._change_run,
    "waiting_events": _Taking._change_waiting,
}
"""By part, what is changed in a row beside its ids."""
