"""A VFS that notes what is done to the files of one folder, in order, and does it.

What SQLite does passes through it; what other code does beside SQLite (making a file, syncing a
copy) is heard by watching `os`. A VFS does not see the `-shm`: that is memory, which a power cut
takes away as a whole. Nor does it see SQLite sync a folder: its own VFS does so with the first
sync of a journal or log that was opened to be created (os_unix.c, UNIXFILE_DIRSYNC).
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final, TypeAlias
from unittest import mock

import apsw

from milepost.testing.power.medium import (
    Create,
    Delete,
    Link,
    Mark,
    Medium,
    Operation,
    Rename,
    Sync,
    SyncFolder,
    Truncate,
    Write,
)

__all__ = ["Recorder", "contents_of"]

_Name: TypeAlias = "str | apsw.URIFilename | None"

_SYNCS_ITS_FOLDER: Final = (
    apsw.SQLITE_OPEN_WAL | apsw.SQLITE_OPEN_MAIN_JOURNAL | apsw.SQLITE_OPEN_SUPER_JOURNAL
)


class Recorder(apsw.VFS):
    """Notes everything that happens in `folder`. With `lies` it acknowledges syncs and does none.

    Without `waits` what SQLite syncs is noted and nothing waits for the machine's own disk. For one
    thread at a time. Once no file is open it can be unregistered.
    """

    def __init__(self, name: str, folder: Path, *, lies: bool = False, waits: bool = True) -> None:
        self.name = name
        self.folder = folder
        self.lies = lies
        self.waits = waits
        self.before = contents_of(folder)
        self.operations: list[Operation] = []
        self.open_count = 0
        self._known = set(self.before)
        super().__init__(name, "")

    def xOpen(self, name: _Name, flags: list[int]) -> apsw.VFSFile:
        file = self._file(name.filename() if isinstance(name, apsw.URIFilename) else name)
        opened = _File(self, file, name, flags)
        if file is not None:
            self.found(file)
        return opened

    def xDelete(self, filename: str, syncdir: bool) -> None:
        super().xDelete(filename, syncdir)
        file = self._file(filename)
        if file is not None:
            self.lost(file, synced=syncdir)

    def found(self, file: str) -> None:
        """There is such a file: if nobody knew, it came to be just now."""
        if file not in self._known:
            self._known.add(file)
            self.operations.append(Create(file))

    def lost(self, file: str, *, synced: bool) -> None:
        """There is no such file any more."""
        if file in self._known:
            self._known.discard(file)
            self.operations.append(Delete(file, synced and not self.lies))

    def mark(self, number: int) -> None:
        """Note that the caller has been told of all up to here."""
        self.operations.append(Mark(number))

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Hear what our own code does to files, beside SQLite, while the block runs."""
        with ExitStack() as stack:
            for name in ("open", "fsync", "unlink", "remove", "rename", "replace", "link"):
                heard = getattr(self, f"_{name}")
                replaced = _heard(getattr(os, name), heard)
                stack.enter_context(mock.patch.object(os, name, replaced))
            yield

    def check(self) -> None:
        """What was noted leads to what is there: nothing passed by. Raises AssertionError."""
        medium = Medium(self.before)
        for operation in self.operations:
            medium.do(operation)
        noted, there = medium.files(), contents_of(self.folder)
        names = sorted(noted.keys() | there.keys())
        passed = [name for name in names if noted.get(name) != there.get(name)]
        assert not passed, (
            f"{', '.join(passed)}: written past the harness, so nobody knows when, or what was"
            " synced of it. Open databases by `at.connect(name)`; code that opens them itself takes"
            " `apsw.Connection(str(at.path(name)), vfs=at.vfs)`. What `sqlite3`, `open` or another"
            " program writes is not heard: it can only be there before the story begins, by"
            " `prepare=`"
        )
        folders = sorted(place.name for place in self.folder.iterdir() if place.is_dir())
        assert not folders, (
            f"{', '.join(folders)}: a folder in the folder; all files of a story stand beside each"
            " other, each at its `at.path(name)`"
        )

    def _open(self, _: int, path: Any, *__: Any, **___: Any) -> None:
        file = self._file(path)
        if file is not None:
            self.found(file)

    def _fsync(self, _: None, handle: int) -> None:
        found = os.fstat(handle)
        if self.lies:
            return
        if stat.S_ISDIR(found.st_mode):
            if os.path.samestat(found, self.folder.stat()):
                self.operations.append(SyncFolder())
            return
        for file in self._known:
            if os.path.samestat(found, (self.folder / file).stat()):
                self.operations.append(Sync(file, folder=False))
                return

    def _unlink(self, _: None, path: Any, **__: Any) -> None:
        file = self._file(path)
        if file is not None:
            self.lost(file, synced=False)

    _remove = _unlink

    def _rename(self, _: None, source: Any, to: Any, **__: Any) -> None:
        old, new = self._file(source), self._file(to)
        if old is not None and new is not None:
            self._known = (self._known - {old}) | {new}
            self.operations.append(Rename(old, new))

    _replace = _rename

    def _link(self, _: None, source: Any, to: Any, **__: Any) -> None:
        old, new = self._file(source), self._file(to)
        if old is not None and new is not None:
            self._known.add(new)
            self.operations.append(Link(old, new))

    def _file(self, path: Any) -> str | None:
        """The name of a file of the folder that is to be noted, None for all others."""
        if path is None or isinstance(path, int):
            return None
        place = Path(os.fsdecode(path))
        if place.parent != self.folder or _is_memory(place.name):
            return None
        return place.name


class _File(apsw.VFSFile):
    """One open file; `file` is None for one that is none of the recorder's."""

    def __init__(self, recorder: Recorder, file: str | None, name: _Name, flags: list[int]) -> None:
        self._recorder = recorder
        self._file = file
        self._folder_is_due = bool(
            flags[0] & apsw.SQLITE_OPEN_CREATE and flags[0] & _SYNCS_ITS_FOLDER
        )
        super().__init__("", name, flags)
        recorder.open_count += 1

    def xClose(self) -> None:
        super().xClose()
        self._recorder.open_count -= 1

    def xWrite(self, data: Any, offset: int) -> None:
        super().xWrite(data, offset)
        self._note(Write(self._file or "", offset, bytes(data)))

    def xTruncate(self, newsize: int) -> None:
        super().xTruncate(newsize)
        self._note(Truncate(self._file or "", newsize))

    def xSync(self, flags: int) -> None:
        if self._recorder.lies:
            return
        if self._recorder.waits:
            super().xSync(flags)
        self._note(Sync(self._file or "", self._folder_is_due))
        self._folder_is_due = False

    def _note(self, operation: Operation) -> None:
        if self._file is not None:
            self._recorder.operations.append(operation)


def contents_of(folder: Path) -> dict[str, bytes]:
    """The files of a folder by name, but for those that are memory."""
    return {
        place.name: place.read_bytes()
        for place in sorted(folder.iterdir())
        if place.is_file() and not _is_memory(place.name)
    }


def _is_memory(file: str) -> bool:
    return file.endswith("-shm")


def _heard(call: Callable[..., Any], heard: Callable[..., None]) -> Callable[..., Any]:
    def both(*args: Any, **options: Any) -> Any:
        result = call(*args, **options)
        heard(result, *args, **options)
        return result

    return both
