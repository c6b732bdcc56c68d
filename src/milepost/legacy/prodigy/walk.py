"""Directories listed with care: counted, in order of name, never out of the tree."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from milepost.legacy.prodigy.files import FileKind, OldFile
from milepost.legacy.prodigy.report import Code, Report
from milepost.text.escapes import printable

__all__ = ["Entry", "Walk"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A file or directory within the tree. `name` is as listed, `path` real, `shown` printable."""

    name: str
    path: Path
    shown: str
    is_directory: bool

    def file(self, kind: FileKind) -> OldFile:
        """The entry as a file of that kind."""
        try:
            modified_ns = self.path.stat().st_mtime_ns
        except OSError:
            modified_ns = 0  # reading it will say what is wrong
        return OldFile(path=self.path, shown=self.shown, kind=kind, modified_ns=modified_ns)


class Walk:
    """Lists directories below `root`, at most `max_entries` entries in all, and reports the rest.

    A name is only ever taken from a listing or from the code, never from a file's content. A
    symbolic link is followed where it leads to something below `root`, and reported otherwise.
    """

    def __init__(self, root: Path, shown: str, max_entries: int, report: Report) -> None:
        self.root = root.resolve(strict=True)
        self.top = Entry(name="", path=self.root, shown=shown, is_directory=True)
        self.left = max_entries
        self._report = report

    def directories(self, at: Entry | None) -> Iterator[Entry]:
        """The directories in `at`, by name; nothing where `at` is None."""
        return (entry for entry in self._listed(at) if entry.is_directory)

    def files(self, at: Entry | None) -> Iterator[Entry]:
        """What is not a directory in `at`, by name; nothing where `at` is None."""
        return (entry for entry in self._listed(at) if not entry.is_directory)

    def below(self, at: Entry | None, *names: str) -> Entry | None:
        """The directory that `names` lead to from `at`, or None if there is none."""
        for name in names:
            if at is None:
                return None
            path = at.path / name
            if not os.path.lexists(path):
                return None
            at = self._entry(name, path, at)
            if at is None or not at.is_directory:
                return None
        return at

    def _listed(self, at: Entry | None) -> list[Entry]:
        if at is None:
            return []
        found: list[Entry] = []
        try:
            with os.scandir(at.path) as listing:
                for listed in listing:
                    if self.left <= 0:
                        message = "not all of it was listed: raise Limits.max_entries"
                        self._report.add(Code.WALK_LIMIT, at.shown, message)
                        break
                    self.left -= 1
                    entry = self._entry(listed.name, Path(listed.path), at)
                    if entry is not None:
                        found.append(entry)
        except OSError as error:
            self._report.add(Code.NOT_LISTED, at.shown, f"cannot be listed: {error.strerror}")
        return sorted(found, key=lambda entry: entry.name)

    def _entry(self, name: str, path: Path, parent: Entry) -> Entry | None:
        readable = printable(os.fsencode(name).decode("utf-8", "backslashreplace"))
        shown = f"{parent.shown}/{readable}" if parent.shown else readable
        try:
            name.encode("utf-8")
        except UnicodeEncodeError:
            self._report.add(Code.NAME_NOT_UTF8, shown, "its name is not UTF-8: left out")
            return None
        if path.is_symlink():
            try:
                target = path.resolve(strict=True)
            except (OSError, RuntimeError):  # Python before 3.13 raises the latter for a loop
                self._report.add(Code.LINK_NOT_FOLLOWED, shown, "is a link that leads nowhere")
                return None
            if not target.is_relative_to(self.root):
                message = "is a link out of the tree: read that place as a home of its own"
                self._report.add(Code.LINK_NOT_FOLLOWED, shown, message)
                return None
            path = target
        return Entry(name=name, path=path, shown=shown, is_directory=path.is_dir())
