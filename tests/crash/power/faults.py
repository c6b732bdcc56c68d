"""A VFS that fails one call of one's choosing, or that one and all after it.

Errors are those that SQLite's own VFS would give for the call. A write that fails has written half.
APSW raises the error of a call out of whatever SQLite was doing for us, also where SQLite itself
passes it over: so more is refused here than would be.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final, Literal, TypeAlias, TypeVar

import apsw

Kind: TypeAlias = Literal["io", "full"]
KINDS: Final[tuple[Kind, ...]] = ("io", "full")

_T = TypeVar("_T")

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

    With `lasting` all after it fail, too, until it is `healed`. `calls` counts them all.
    """

    kind: Kind = "io"
    at: int | None = None
    lasting: bool = False
    healed: bool = False
    calls: int = 0
    failed: Counter[str] = field(default_factory=Counter)
    unreported: int = 0

    def fail(self, call: str) -> bool:
        """True if this call fails."""
        if call not in _CODES[self.kind] or self.healed:
            return False
        self.calls += 1
        fails = self.at is not None and (
            self.calls == self.at or (self.lasting and self.calls > self.at)
        )
        if fails:
            self.failed[call] += 1
        return fails

    def pass_or_fail(self, call: str, do: Callable[[], _T]) -> _T:
        """What `do` gives, unless the call fails."""
        if self.fail(call):
            raise self.error(call)
        return do()

    def error(self, call: str) -> apsw.Error:
        """What the call fails with."""
        error: apsw.Error = apsw.exception_for(_CODES[self.kind][call])
        return error


class Failing(apsw.VFS):
    """The system's own files, whose calls fail as `faults` says."""

    def __init__(self, name: str, faults: Faults) -> None:
        self.name = name
        self.faults = faults
        super().__init__(name, "")

    def xOpen(self, name: Any, flags: list[int]) -> apsw.VFSFile:  # noqa: N802
        return self.faults.pass_or_fail("open", lambda: _File(self.faults, name, flags))

    def xDelete(self, name: str, synced: bool) -> None:  # noqa: N802
        self.faults.pass_or_fail("delete", lambda: super(Failing, self).xDelete(name, synced))

    def xAccess(self, name: str, flags: int) -> bool:  # noqa: N802
        found: bool = self.faults.pass_or_fail(
            "access", lambda: super(Failing, self).xAccess(name, flags)
        )
        return found

    def excepthook(self, *_: object) -> bool:
        self.faults.unreported += 1
        return True


class _File(apsw.VFSFile):
    """One open file whose calls fail as `faults` says."""

    def __init__(self, faults: Faults, name: Any, flags: list[int]) -> None:
        self._faults = faults
        super().__init__("", name, flags)

    def xRead(self, amount: int, offset: int) -> bytes:  # noqa: N802
        data: bytes = self._faults.pass_or_fail(
            "read", lambda: super(_File, self).xRead(amount, offset)
        )
        return data

    def xWrite(self, data: bytes, offset: int) -> None:  # noqa: N802
        if self._faults.fail("write"):
            super().xWrite(bytes(data)[: len(data) // 2], offset)
            raise self._faults.error("write")
        super().xWrite(data, offset)

    def xTruncate(self, size_bytes: int) -> None:  # noqa: N802
        self._faults.pass_or_fail("truncate", lambda: super(_File, self).xTruncate(size_bytes))

    def xSync(self, flags: int) -> None:  # noqa: N802
        self._faults.pass_or_fail("sync", lambda: super(_File, self).xSync(flags))

    def xFileSize(self) -> int:  # noqa: N802
        size: int = self._faults.pass_or_fail("size", super().xFileSize)
        return size

    def xLock(self, level: int) -> None:  # noqa: N802
        self._faults.pass_or_fail("lock", lambda: super(_File, self).xLock(level))

    def excepthook(self, *_: object) -> bool:
        self._faults.unreported += 1
        return True
