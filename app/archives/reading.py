"""Reads an archive that may come from anybody: nothing is unpacked to the disk, no line is longer
than a row may be, and all of it is looked through before a row is taken in."""

import hashlib
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any

from app.archives.layout import FORMAT, MANIFEST, PARTS, VERSION, ArchiveError, Part
from app.archives.sense import check
from app.archives.values import WrongValueError, is_added_up, kind_of

MOST_MANIFEST_BYTES = 64 * 1024
MOST_LINE_BYTES = 64 * 2**20
"""A row holds a body of at most some megabytes, written once as base64 and once as JSON."""
MOST_RATIO = 400
"""How much larger a table may be than its packed form; a bomb's is 1,000. Rows that are as alike as
can be, with ids of their own, have 60."""
MOST_IDS = 10**12
"""Of one table: a range of ids that was made up must not use up all numbers."""
Values = dict[str, Any]


class Archive:
    """An archive that is open; what it says is checked row by row as it is read."""

    def __init__(self, path: Path) -> None:
        """Raises ArchiveError and OSError."""
        self.path = path
        try:
            self._file = zipfile.ZipFile(path)
        except (zipfile.BadZipFile, ValueError, NotImplementedError) as error:
            raise ArchiveError(f"{path} is no archive of a workspace: {error}.") from error
        try:
            self._check_members()
            self.manifest = self._read_manifest()
            self._check_sizes()
        except BaseException:
            self._file.close()
            raise

    def __enter__(self) -> "Archive":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self._file.close()

    def rows(self, part: Part) -> int:
        return int(self.manifest["tables"][part.name]["rows"])

    def check_all(self) -> None:
        """Look through all of it. Raises ArchiveError for what was altered since it was made."""
        for part in PARTS:
            for _ in self.read(part):
                pass

    def read(self, part: Part) -> Iterator[Values]:
        """Its rows, as the columns hold them. Raises ArchiveError: at the end where counts, sums or
        the digest are others than the manifest's."""
        told = self.manifest["tables"][part.name]
        columns = {name: part.table.columns[name] for name in part.columns}
        summed = [name for name, column in columns.items() if is_added_up(column)]
        sums: dict[str, float] = dict.fromkeys(summed, 0)
        digest, rows = hashlib.sha256(), 0
        for line in self._read_lines(part):
            digest.update(line)
            rows += 1
            values = _read_row(part, columns, line, rows)
            for name in summed:
                sums[name] += values[name] or 0
            yield values
        if (rows, digest.hexdigest(), sums) != (told["rows"], told["sha256"], told["sums"]):
            raise ArchiveError(
                f"{part.member} is not as it was written: {rows:,} rows were read of "
                f"{told['rows']:,}, and their digest or sums differ. Export it once more."
            )

    def _read_lines(self, part: Part) -> Iterator[bytes]:
        try:
            with self._file.open(part.member) as member:
                while line := member.readline(MOST_LINE_BYTES + 1):
                    if len(line) > MOST_LINE_BYTES:
                        raise ArchiveError(f"{part.member} has a line that is too long for a row.")
                    yield line
        except (zipfile.BadZipFile, EOFError, OSError, RuntimeError) as error:
            raise ArchiveError(f"{part.member} is damaged: {error}.") from error

    def _check_members(self) -> None:
        """Exactly the known ones, each once: a name is never used as a path."""
        names = sorted(each.filename for each in self._file.infolist())
        wanted = sorted([MANIFEST, *(part.member for part in PARTS)])
        if MANIFEST not in names:
            raise ArchiveError(f"{self.path} is no archive of a workspace: no {MANIFEST} in it.")
        if any(each.flag_bits & 1 for each in self._file.infolist()):
            raise ArchiveError("The archive is encrypted.")
        self._has_known_names = names == wanted
        self._strange = next((each for each in names if each not in wanted), None)

    def _read_manifest(self) -> dict[str, Any]:
        if self._file.getinfo(MANIFEST).file_size > MOST_MANIFEST_BYTES:
            raise ArchiveError(f"{MANIFEST} is too large to be one.")
        try:
            with self._file.open(MANIFEST) as member:
                manifest = json.loads(member.read(MOST_MANIFEST_BYTES))
        except (zipfile.BadZipFile, ValueError, RecursionError, EOFError, OSError) as error:
            raise ArchiveError(f"{MANIFEST} can't be read.") from error
        _check_manifest(manifest)
        if not self._has_known_names:
            what = f"{self._strange!r:.80} in it" if self._strange else "tables missing or twice"
            raise ArchiveError(f"It has other tables than version {VERSION} has: {what}.")
        return dict(manifest)

    def _check_sizes(self) -> None:
        for part in PARTS:
            member = self._file.getinfo(part.member)
            if member.file_size > max(member.compress_size * MOST_RATIO, MOST_MANIFEST_BYTES):
                raise ArchiveError(
                    f"{part.member} unpacks to more than {MOST_RATIO} times its size: that is no "
                    "table that FlowPulse has written."
                )
            if member.file_size != self.manifest["tables"][part.name]["bytes"]:
                raise ArchiveError(f"{part.member} has another size than the manifest says.")


def _check_manifest(manifest: Any) -> None:
    """Its form, and whether it is of a version that is known here. Raises ArchiveError."""
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
        raise ArchiveError("It is no archive of a workspace.")
    if manifest.get("version") != VERSION:
        raise ArchiveError(
            f"The archive is of version {manifest.get('version')!r:.20}; this FlowPulse takes in "
            f"version {VERSION}. Export it from, or take it in with, the same FlowPulse."
        )
    try:
        is_whole = _is_whole(manifest)
    except (KeyError, TypeError, AttributeError, ValueError):
        is_whole = False
    if not is_whole:
        raise ArchiveError(f"{MANIFEST} is not whole.")


def _is_whole(manifest: dict[str, Any]) -> bool:
    tables = [manifest["tables"][part.name] for part in PARTS]
    numbers = [each[name] for each in tables for name in ("rows", "bytes")]
    spans = [manifest["ids"][name] for name in ("events", "runs")]
    texts = [manifest["workspace"]["id"], manifest["workspace"]["name"], manifest["secret_mark"]]
    texts += [each["sha256"] for each in tables]
    return (
        all(isinstance(each, str) for each in texts)
        and all(type(each) is int and each >= 0 for each in numbers)
        and all(isinstance(each["sums"], dict) for each in tables)
        and all(0 <= low <= high + 1 <= low + MOST_IDS for low, high in spans)
        and manifest["tables"]["workspaces"]["rows"] == 1
    )


def _read_row(part: Part, columns: dict[str, Any], line: bytes, number: int) -> Values:
    """Raises ArchiveError for what the table could not hold."""
    try:
        given = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise ArchiveError(f"{part.member}, line {number:,}: no JSON.") from error
    if not isinstance(given, dict) or given.keys() != columns.keys():
        raise ArchiveError(f"{part.member}, line {number:,}: other columns than this table has.")
    values = {}
    for name, column in columns.items():
        value = given[name]
        try:
            if value is None and not column.nullable:
                raise WrongValueError("is empty")
            values[name] = None if value is None else kind_of(column).read(column, value)
        except WrongValueError as error:
            raise ArchiveError(f"{part.member}, line {number:,}: {name} {error}.") from error
    try:
        check(part.table.name, values)
    except WrongValueError as error:
        raise ArchiveError(f"{part.member}, line {number:,}: {error}.") from error
    return values
