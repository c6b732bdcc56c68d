"""Counts what SQLite does: steps of its virtual machine, and reads, writes and syncs of files."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import apsw

__all__ = ["FILES", "counted_files"]

FILES = ("steps", "reads", "writes", "written", "syncs")


@contextmanager
def counted_files() -> Iterator[Callable[[Callable[[], object]], dict[str, int]]]:
    """Gives a function that counts what SQLite does in a block, by connections opened in here.

    `steps` are those of its virtual machine, the rest are calls of the file system: `reads`,
    `writes` and `written` bytes, `syncs`. The shared memory beside a log is no file here.
    """
    base = apsw.vfs_names()[0]  # the default, before there is another
    now = dict.fromkeys(FILES, 0)

    class Counted(apsw.VFSFile):
        def __init__(self, name: Any, flags: list[int]) -> None:
            super().__init__(base, name, flags)

        def xRead(self, amount: int, offset: int) -> bytes:  # noqa: N802
            now["reads"] += 1
            return super().xRead(amount, offset)

        def xWrite(self, data: bytes, offset: int) -> None:  # noqa: N802
            now["writes"] += 1
            now["written"] += len(data)
            super().xWrite(data, offset)

        def xSync(self, flags: int) -> None:  # noqa: N802
            now["syncs"] += 1
            super().xSync(flags)

    class Counting(apsw.VFS):
        def __init__(self) -> None:
            super().__init__("counting", base, makedefault=True)

        def xOpen(self, name: Any, flags: list[int]) -> apsw.VFSFile:  # noqa: N802
            return Counted(name, flags)

    def each_statement(event: dict[str, Any]) -> None:
        now["steps"] += event["stmt_status"]["SQLITE_STMTSTATUS_VM_STEP"]

    def each_connection(connection: apsw.Connection) -> None:
        connection.trace_v2(apsw.SQLITE_TRACE_PROFILE, each_statement, id="counting")

    def counted(act: Callable[[], object]) -> dict[str, int]:
        before = dict(now)
        act()
        return {name: now[name] - before[name] for name in now}

    files = Counting()
    apsw.connection_hooks.append(each_connection)
    try:
        yield counted
    finally:
        apsw.connection_hooks.remove(each_connection)
        files.unregister()
