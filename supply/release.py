"""`python -m supply.release VERSION`: make a release out of what is committed (`make release`).

It refuses first and changes nothing then. Each step leaves alone what an earlier call has done, so
that the command is simply called again after one that was ended, or failed.
"""

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import cached_property
from pathlib import Path

from supply.changelog import Changelog, read_changelog
from supply.versions import (
    PLACES,
    ROOT,
    SEMANTIC,
    MissingPlaceError,
    order,
    read_versions,
    set_versions,
)

FOLDER = "tests/releases"


class RefusedError(Exception):
    """There is nothing to release, or not so; the message says why, and what to do."""


@dataclass(frozen=True)
class Release:
    """One that is being made in a repository."""

    version: str
    root: Path = ROOT

    # --- what is there --------------------------------------------------------------------------

    @property
    def tag(self) -> str:
        return f"v{self.version}"

    @property
    def folder(self) -> str:
        return f"{FOLDER}/{self.version}"

    @property
    def own_paths(self) -> list[str]:
        """All that a release changes, and nothing else."""
        return ["CHANGELOG.md", *PLACES, self.folder]

    @property
    def changelog(self) -> Changelog:
        return read_changelog((self.root / "CHANGELOG.md").read_text())

    @property
    def is_begun(self) -> bool:
        """Whether an earlier call has come as far as the changelog."""
        return self.version in (each.name for each in self.changelog.releases)

    @cached_property
    def day(self) -> date:
        """UTC; of a release that was begun on another one, that."""
        begun = (each.day for each in self.changelog.releases if each.name == self.version)
        return next(begun, None) or datetime.now(UTC).date()

    def git(self, *words: str, given: str | None = None) -> str:
        """What it prints. Raises RefusedError with what it says is wrong."""
        done = subprocess.run(  # noqa: S603 - our own words.
            ["git", *words],  # noqa: S607
            cwd=self.root,
            input=given,
            capture_output=True,
            text=True,
        )
        if done.returncode:
            raise RefusedError(f"git {words[0]}: {done.stderr.strip() or done.stdout.strip()}")
        return done.stdout

    def list_tagged(self) -> list[str]:
        """Versions, without their v."""
        tags = (each.removeprefix("v") for each in self.git("tag", "--list", "v*").split())
        return [each for each in tags if SEMANTIC.fullmatch(each)]

    # --- the steps ------------------------------------------------------------------------------

    def check(self) -> str:
        """Raises RefusedError."""
        if not SEMANTIC.fullmatch(self.version):
            raise RefusedError(
                f"{self.version!r:.40} is no version. Say three numbers: make release VERSION=1.2.0"
            )
        if self.version in self.list_tagged():
            raise RefusedError(f"{self.version} is released already, with another commit.")
        last = self._find_last()
        if order(self.version) <= order(last):
            raise RefusedError(f"{self.version} is not higher than {last}, the last version.")
        self._refuse_other_changes()
        if not (self.is_begun or self.changelog.has_news):
            raise RefusedError("CHANGELOG.md lists nothing under Unreleased.")
        return f"{self.version} can be released, after {last}."

    def _find_last(self) -> str:
        """The highest of all that are tagged, told of, or stand in the files."""
        try:
            present = read_versions(self.root).values()
        except MissingPlaceError as error:
            raise RefusedError(str(error)) from error
        released = (each.name for each in self.changelog.releases)
        known = {*self.list_tagged(), *released, *present} - {self.version}
        return max(known, key=order, default="0.0.0")

    def _refuse_other_changes(self) -> None:
        """What an earlier call has left is no dirt, where that has begun this release."""
        own = tuple(self.own_paths) if self.is_begun else ()
        listed = self.git("status", "--porcelain", "--untracked-files=all", "-z").split("\0")
        changed = [entry[3:] for entry in listed if entry]
        others = [path for path in changed if not path.startswith(own)]
        if others:
            told = ", ".join(others[:5])
            raise RefusedError(f"Commit these first, or take them away: {told}")

    def write_changelog(self) -> str:
        released = self.changelog.released(self.version, self.day)
        (self.root / "CHANGELOG.md").write_text(released.render())
        return f"CHANGELOG.md has {self.version}, of {self.day}."

    def write_versions(self) -> str:
        set_versions(self.version, self.root)
        return f"{len(PLACES)} files say {self.version}."

    def write_databases(self) -> str:
        """In a process of its own, which loads the app with its new version."""
        command = [sys.executable, "-m", "tests.releases.making", self.folder, str(self.day)]
        done = subprocess.run(command, cwd=self.root, capture_output=True, text=True)  # noqa: S603
        if done.returncode:
            raise RefusedError(f"The databases could not be made:\n{done.stderr}")
        size = sum(path.stat().st_size for path in (self.root / self.folder).iterdir())
        return f"{self.folder} has its databases ({size / 1_000:,.0f} KB)."

    def commit(self) -> str:
        self.git("add", "--", *self.own_paths)
        if not self.git("status", "--porcelain"):
            return "All of it is committed already."
        self.git("commit", "--quiet", "--message", f"Release {self.version}")
        return f"Committed as {self.git('rev-parse', '--short', 'HEAD').strip()}."

    def make_tag(self) -> str:
        """Lines that begin with # are headings here, and no comments."""
        notes = f"FlowPulse {self.version}\n\n{self.changelog.notes_of(self.version)}\n"
        words = ("--annotate", "--cleanup=whitespace", "--file=-", self.tag)
        self.git("tag", *words, given=notes)
        return f"Tagged as {self.tag}. To publish it: git push --follow-tags"

    def is_made(self) -> bool:
        """Whether its tag is there, of the present commit."""
        return self.tag in self.git("tag", "--points-at", "HEAD").split()


def make_release(release: Release) -> Iterator[str]:
    """Says what each step has done. Raises RefusedError."""
    if release.is_made():
        yield f"{release.tag} is made already."
        return
    yield release.check()
    yield release.write_changelog()
    yield release.write_versions()
    yield release.write_databases()
    yield release.commit()
    yield release.make_tag()


def main() -> int:
    try:
        for told in make_release(Release(sys.argv[1])):
            print(told, flush=True)
    except RefusedError as error:
        print(f"Not released. {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
