"""A VFS that fails one call of one's choosing, or that one and all after it.

Errors are those that SQLite's own VFS would give for the call. A write that fails has written half;
whatever else fails has done nothing.
APSW raises the error of a call out of whatever SQLite was doing for us, also where SQLite itself
passes it over: so more is refused here than would be.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias, TypeVar

import apsw

__all__ = ["KINDS", "Failing", "Faults", "Kind"]

Kind: TypeAlias = Literal["io", "full"]
"""An error of the device, at any call; or a full disk, at writes."""

KINDS: Final[tuple[Kind, ...]] = ("io", "full")

_T = TypeVar("_T")
_Name: TypeAlias = "str | apsw.URIFilename | None"

_CODES: Final[dict[Kind, dict[str, int]]] = {
    "io": {
        "open": apsw.SQLITE_CANTOPEN,
        "access": apsw.SQLITE_IOERR_ACCESS,
        "delete": apsw.SQLITE_IOERR_DELETE,
        "read": apsw.SQLITE_IOERR_READ,
        "write": apsw.SQLITE_IOERR_WRITE,
        "sync": apsw.SQLITE_IOERR_FSYNC,
        "truncate": apsw.SQLITE_IOERR_TRUNCATE,
        "size": apsw.SQLITE_IOERR_FSTAT,
        "lock": apsw.SQLITE_IOERR_LOCK,
    },
    "full": {"write": apsw.SQLITE_FULL},
}
"""What each call fails with; those that are not here do not fail for that reason."""


@dataclass
class Faults:
    """Which call fails: the one numbered `at`, from 1, of those that can fail as `kind` says.

    With `lasting` all after it fail, too, until it is `healed`. `calls` counts them all. The first
    that fails is told to `tell`, in words.
    """

    kind: Kind = "io"
    at: int | None = None
    lasting: bool = False
    healed: bool = False
    calls: int = 0
    failed: Counter[str] = field(default_factory=Counter)
    unreported: int = 0
    tell: Callable[[str], None] | None = None

    def fail(self, call: str, file: str) -> bool:
        """True if this call to `file` fails."""
        if call not in _CODES[self.kind] or self.healed:
            return False
        self.calls += 1
        fails = self.at is not None and (
            self.calls == self.at or (self.lasting and self.calls > self.at)
        )
        if fails:
            if self.tell and not self.failed:
                self.tell(f"{call} of {file}")
            self.failed[call] += 1
        return fails

    def pass_or_fail(self, call: str, file: str, do: Callable[[], _T]) -> _T:
        """What `do` gives, unless the call fails."""
        if self.fail(call, file):
            raise self.error(call)
        return do()

    def error(self, call: str) -> Exception:
        """What the call fails with."""
        return apsw.exception_for(_CODES[self.kind][call])


class Failing(apsw.VFS):
    """The files of the VFS named `base`, the system's own by default; calls fail by `faults`."""

    def __init__(self, name: str, faults: Faults, *, base: str = "") -> None:
        self.name = name
        self.faults = faults
        self.base = base
        super().__init__(name, base)

    def xOpen(self, name: _Name, flags: list[int]) -> apsw.VFSFile:
        return self.faults.pass_or_fail("open", _named(name), lambda: _File(self, name, flags))

    def xDelete(self, filename: str, syncdir: bool) -> None:
        delete = super().xDelete
        self.faults.pass_or_fail("delete", _named(filename), lambda: delete(filename, syncdir))

    def xAccess(self, pathname: str, flags: int) -> bool:
        access = super().xAccess
        return self.faults.pass_or_fail("access", _named(pathname), lambda: access(pathname, flags))

    def excepthook(self, etype: object, evalue: object, etraceback: object) -> bool:
        self.faults.unreported += 1
        return True


class _File(apsw.VFSFile):
    """One open file whose calls fail."""

    def __init__(self, vfs: Failing, name: _Name, flags: list[int]) -> None:
        self._faults = vfs.faults
        self._name = _named(name)
        super().__init__(vfs.base, name, flags)

    def xRead(self, amount: int, offset: int) -> bytes:
        read = super().xRead
        return self._faults.pass_or_fail("read", self._name, lambda: read(amount, offset))

    def xWrite(self, data: Any, offset: int) -> None:
        if self._faults.fail("write", self._name):
            written = bytes(data)
            super().xWrite(written[: len(written) // 2], offset)
            raise self._faults.error("write")
        super().xWrite(data, offset)

    def xTruncate(self, newsize: int) -> None:
        truncate = super().xTruncate
        self._faults.pass_or_fail("truncate", self._name, lambda: truncate(newsize))

    def xSync(self, flags: int) -> None:
        sync = super().xSync
        self._faults.pass_or_fail("sync", self._name, lambda: sync(flags))

    def xFileSize(self) -> int:
        return self._faults.pass_or_fail("size", self._name, super().xFileSize)

    def xLock(self, level: int) -> None:
        lock = super().xLock
        self._faults.pass_or_fail("lock", self._name, lambda: lock(level))

    def excepthook(self, etype: object, evalue: object, etraceback: object) -> bool:
        self._faults.unreported += 1
        return True


def _named(name: _Name) -> str:
    """The name of a file without its folder."""
    path = name.filename() if isinstance(name, apsw.URIFilename) else name
    return Path(path).name if path else "a temporary file"
