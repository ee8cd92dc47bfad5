"""Writes a workspace to a file: all of one moment, a row at a time, for its owner's eyes alone."""

import hashlib
import json
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from flask import current_app
from sqlalchemy import Connection, func, select

from app.archives.layout import FORMAT, MANIFEST, PARTS, VERSION, ArchiveError, Part
from app.archives.values import is_added_up, kind_of
from app.backups.drafts import drafted
from app.clock import now
from app.extensions import db, is_sqlite
from app.keys import mark_secret
from app.models import Event, Run, Workspace

ROWS_AT_ONCE = 200


class Made(NamedTuple):
    """What was written, by part the number of rows."""

    path: Path
    size: int
    rows: dict[str, int]


def make_archive(workspace: Workspace, place: Path) -> Made:
    """Raises ArchiveError where something is at that place already."""
    workspace_id, told = workspace.id, {"id": workspace.public_id, "name": workspace.name}
    db.session.rollback()
    try:
        with drafted(place) as draft:
            parts = write_archive(workspace_id, told, draft)
    except FileExistsError as error:
        raise ArchiveError(f"{place} is there already. Choose another name.") from error
    return Made(place, place.stat().st_size, {name: part["rows"] for name, part in parts.items()})


def write_archive(workspace_id: int, told: dict[str, str], file: Any) -> dict[str, dict[str, Any]]:
    """To a path, or to what takes bytes at its end. `told` is the workspace's id and name; returns,
    by part, what the manifest tells of it."""
    with _snapshot() as connection:
        return _write(connection, workspace_id, told, file)


@contextmanager
def _snapshot() -> Iterator[Connection]:
    """All that is read within is of one moment. On SQLite its log grows until the end."""
    options: dict[str, Any] = {"stream_results": True, "yield_per": ROWS_AT_ONCE}
    if not is_sqlite():
        options["isolation_level"] = "REPEATABLE READ"
    with db.engine.connect() as connection:
        yield connection.execution_options(**options)


def _write(
    connection: Connection, workspace_id: int, told: dict[str, str], file: Any
) -> dict[str, dict[str, Any]]:
    written = {}
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as archive:
        for part in PARTS:
            with archive.open(part.member, "w", force_zip64=True) as member:
                written[part.name] = _write_part(connection, part, workspace_id, member)
        manifest = {
            "format": FORMAT,
            "version": VERSION,
            "flowpulse": current_app.config["FLOWPULSE_VERSION"],
            "made_at": now().isoformat(),
            "workspace": told,
            "secret_mark": mark_secret(current_app.config["FLOWPULSE_KEY_SECRET"]),
            "ids": _find_ids(connection, workspace_id),
            "tables": written,
        }
        archive.writestr(MANIFEST, json.dumps(manifest, indent=1))
    return written


def _write_part(
    connection: Connection, part: Part, workspace_id: int, member: Any
) -> dict[str, Any]:
    """Its rows in the order of their keys; what the manifest tells of them."""
    columns = [part.table.columns[name] for name in part.columns]
    kinds = [(column.name, kind_of(column).write) for column in columns]
    summed = [column.name for column in columns if is_added_up(column)]
    digest, rows, size = hashlib.sha256(), 0, 0
    sums: dict[str, float] = dict.fromkeys(summed, 0)
    query = select(*columns).where(part.mine(workspace_id)).order_by(*part.table.primary_key)
    for row in connection.execute(query):
        values = {
            name: None if value is None else write(value)
            for (name, write), value in zip(kinds, row, strict=True)
        }
        line = json.dumps(values, separators=(",", ":")).encode() + b"\n"
        member.write(line)
        digest.update(line)
        rows, size = rows + 1, size + len(line)
        for name in summed:
            sums[name] += values[name] or 0
    return {
        "rows": rows,
        "bytes": size,
        "sha256": digest.hexdigest(),
        "sums": sums,
    }


def _find_ids(connection: Connection, workspace_id: int) -> dict[str, list[int]]:
    """Between which numbers events and runs lie, also those that are named and gone."""
    found = {}
    for model in (Event, Run):
        query = select(func.min(model.id), func.max(model.id))
        found[model.__tablename__] = list(
            connection.execute(query.where(model.workspace_id == workspace_id)).one()
        )
    decided = select(func.min(Run.decided_by_event_id), func.max(Run.decided_by_event_id))
    named = connection.execute(decided.where(Run.workspace_id == workspace_id)).one()
    events = [each for each in (*found["events"], *named) if each is not None]
    bounds = {"events": events, "runs": [each for each in found["runs"] if each is not None]}
    return {name: [min(ids, default=1), max(ids, default=0)] for name, ids in bounds.items()}
