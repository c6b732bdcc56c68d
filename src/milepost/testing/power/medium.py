"""What was done to the files of one folder, and which of it a power cut cannot take back any more.

A file's bytes are durable once it is synced; its name is, once its folder is. Until then the disk
may have any part of what was done, in any order. Pure: nothing here touches a file.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple, TypeAlias

__all__ = [
    "Change",
    "Content",
    "Create",
    "Delete",
    "Link",
    "Mark",
    "Medium",
    "Operation",
    "Rename",
    "Renaming",
    "Sync",
    "SyncFolder",
    "Truncate",
    "Write",
    "applied",
]


class Create(NamedTuple):
    """A file came to be, empty."""

    file: str


class Write(NamedTuple):
    """Bytes were written at `offset`; a gap before them reads as zeros."""

    file: str
    offset: int
    data: bytes


class Truncate(NamedTuple):
    """The file was cut off, or filled up with zeros, to a size."""

    file: str
    size_bytes: int


class Sync(NamedTuple):
    """The bytes of a file are durable; with `folder` all names are, too."""

    file: str
    folder: bool


class SyncFolder(NamedTuple):
    """All names are durable."""


class Delete(NamedTuple):
    """A name is gone; for good if the folder was `synced` with it."""

    file: str
    synced: bool


class Rename(NamedTuple):
    """A file has another name; what had that name is gone. It happens as a whole or not at all."""

    file: str
    to: str


class Link(NamedTuple):
    """A file has another name beside its own, which nothing had."""

    file: str
    to: str


class Mark(NamedTuple):
    """By now the caller has been told so much: the number of what was acknowledged last."""

    number: int


Operation: TypeAlias = Create | Write | Truncate | Sync | SyncFolder | Delete | Rename | Link | Mark

Change: TypeAlias = Write | Truncate
"""What changes the bytes of a file."""

Renaming: TypeAlias = tuple[tuple[str, int | None], ...]
"""What one change of a folder makes of names: the number of the file that has it, or None."""


@dataclass
class Content:
    """The bytes of one file: what is durable, and what was done to it since, in order."""

    durable: bytes = b""
    pending: list[Change] = field(default_factory=list)

    def with_only(self, changes: list[Change]) -> bytes:
        """The bytes if the disk has just these of the pending changes."""
        return applied(self.durable, changes)


class Medium:
    """A folder on a disk, as operations leave it.

    `names` is what programs see; `durable_names` is what is there for certain, and `renamings` are
    the changes that lead from the one to the other, in order. Files are numbered.
    """

    def __init__(self, files: Mapping[str, bytes]) -> None:
        """`files` are there, and durable."""
        self.contents = [Content(data) for data in files.values()]
        self.names = {name: number for number, name in enumerate(files)}
        self.durable_names = dict(self.names)
        self.renamings: list[Renaming] = []

    def do(self, operation: Operation) -> None:
        """Let `operation` happen. Raises KeyError for a file that is not there."""
        match operation:
            case Create(file):
                self.contents.append(Content())
                self._rename(((file, len(self.contents) - 1),))
            case Write() | Truncate():
                self.contents[self.names[operation.file]].pending.append(operation)
            case Sync(file, folder):
                content = self.contents[self.names[file]]
                content.durable = content.with_only(content.pending)
                content.pending = []
                if folder:
                    self._settle()
            case SyncFolder():
                self._settle()
            case Delete(file, synced):
                del self.names[file]
                self.renamings.append(((file, None),))
                if synced:
                    self._settle()
            case Rename(file, to):
                if self.names[file] != self.names.get(to):  # two names of one file both stay
                    self._rename(((to, self.names.pop(file)), (file, None)))
            case Link(file, to):
                self._rename(((to, self.names[file]),))
            case Mark():
                pass

    def files(self) -> dict[str, bytes]:
        """What programs see: everything that was done."""
        return {
            name: self.contents[number].with_only(self.contents[number].pending)
            for name, number in self.names.items()
        }

    def _rename(self, renaming: Renaming) -> None:
        self.names.update({name: number for name, number in renaming if number is not None})
        self.renamings.append(renaming)

    def _settle(self) -> None:
        self.durable_names = dict(self.names)
        self.renamings = []


def applied(data: bytes, changes: list[Change]) -> bytes:
    """`data` after `changes`, in order."""
    if not changes:
        return data
    result = bytearray(data)
    for change in changes:
        end = change.offset + len(change.data) if isinstance(change, Write) else change.size_bytes
        if len(result) < end:
            result.extend(bytes(end - len(result)))
        if isinstance(change, Write):
            result[change.offset : end] = change.data
        else:
            del result[end:]
    return bytes(result)
