"""A recorder: what was asked of a store, when, and what became of it, whoever asked.

Times are of the machine's monotonic clock, which all its processes share. Between when something
was asked and when it was answered lies the moment in which it took place.
"""

from __future__ import annotations

import threading
import time
from pathlib import Path

from milepost.errors import CommitUnknown
from milepost.stores.protocol import StateStore
from milepost.testing.histories.operations import ACKNOWLEDGED, UNDONE, UNKNOWN, entries_of
from milepost.testing.journal import Journal
from milepost.testing.watching import Transaction, WatchedStore

__all__ = ["Recorder", "recorded"]


def recorded(store: StateStore, path: str | Path, actor: str) -> StateStore:
    """The store, with all that is asked of it written down in the file at `path`.

    Any number of threads may use it, and each process has one of its own: `actor` is a name that no
    other has. A process that dies leaves what it had asked, with no answer. Each commit costs two
    lines more, and each look at the end of a log one.
    """
    return WatchedStore(store, Recorder(Journal(str(path)), actor))


class Recorder:
    """A watch that writes into a journal what it hears."""

    def __init__(self, journal: Journal, actor: str) -> None:
        self._journal = journal
        self._actor = actor
        self._asked = threading.local()

    def reads(self) -> None:
        """Note when."""
        self._asked.read_ns = time.monotonic_ns()

    def read(self, seen: tuple[tuple[int, int, bytes], ...]) -> None:
        """Write down what was seen, if it was the end of a log."""
        if seen:
            newest = [(job, seq, digest.hex()) for job, seq, digest in seen]
            asked = self._asked.read_ns
            self._journal.write("read", self._actor, asked, time.monotonic_ns(), newest)

    def begins(self) -> None:
        """Note when."""
        self._asked.write_ns = time.monotonic_ns()

    def commits(self, made: Transaction) -> None:
        """Write down what is asked, before anything can come of it."""
        if made.rows:
            asked = self._asked.write_ns
            self._journal.write("asked", self._actor, made.number, asked, entries_of(made))

    def committed(self, made: Transaction) -> None:
        """Write down that it was acknowledged."""
        self._answered(made, ACKNOWLEDGED)

    def failed(self, made: Transaction | None, error: BaseException) -> None:
        """Write down that it was undone, or that nobody knows."""
        if made is not None:
            self._answered(made, UNKNOWN if isinstance(error, CommitUnknown) else UNDONE)

    def _answered(self, made: Transaction, outcome: str) -> None:
        if made.rows:
            now_ns = time.monotonic_ns()
            self._journal.write("answered", self._actor, made.number, now_ns, outcome)
