"""What processes note until they are killed: a file of lines, each written by one system call.

What was written before a kill is there. A kill may tear a line where it crosses a page of the file:
such a line is no JSON, and was never written to its end.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path

__all__ = ["Journal", "Pages", "journal_at", "wait_until_alone"]


class Journal:
    """The end that writes. Who has it open holds a lock of the file, shared, until it is gone."""

    def __init__(self, path: str) -> None:
        self._fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        fcntl.flock(self._fd, fcntl.LOCK_SH)
        self._pages = Pages(Path(path))
        self._calls: Counter[str] = Counter()

    def write(self, word: str, *values: object) -> None:
        """One line, which is there whatever becomes of this process."""
        os.write(self._fd, f"\n{json.dumps([word, *values])}\n".encode())

    def called(self, name: str, life: int, *, recorded: bool = True) -> int:
        """Note a call; how many there are of that name, whoever noted them, this one included.

        It is written as `call` if it is of what gets `recorded`, and as `count` otherwise.
        """
        self.write("call" if recorded else "count", name, life)
        for word, *values in self._pages.turn():
            if word in ("call", "count"):
                self._calls[str(values[0])] += 1
        return self._calls[name]


class Pages:
    """The end that reads: each line once."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._read_bytes = 0

    def turn(self) -> Iterator[list[object]]:
        """The whole lines that were written since the last turn."""
        if not self._path.exists():
            return
        with self._path.open("rb") as file:
            file.seek(self._read_bytes)
            written, _, torn = file.read().rpartition(b"\n")
        self._read_bytes += len(written) + 1 if written or not torn else 0
        for line in written.splitlines():
            try:
                words = json.loads(line)
            except ValueError:
                continue
            if isinstance(words, list):
                yield words


journal_at = cache(Journal)
"""The journal at a path, one in each process."""


def wait_until_alone(path: Path) -> None:
    """Wait until no process has the journal open: workers end with their parent, not before."""
    with path.open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
