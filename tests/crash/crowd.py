"""One process of a crowd on one file: eight threads that record, hold, meddle and read.

What is acknowledged goes into a journal, a line each, before anything else is asked for. What is
asked of the store, and when, is recorded beside it.
"""

from __future__ import annotations

import json
import random
import sys
import threading
import time
from pathlib import Path

from milepost import ItemEvent, StateManager
from milepost.errors import (
    LeaseHeld,
    LeaseLost,
    RecordConflict,
    StoreLocked,
    TransitionRefused,
)
from milepost.state.persistence import open_store
from milepost.testing.histories import recorded

__all__ = ["EXPECTED", "JOBS", "THREADS", "key_of"]

THREADS = 8
JOBS = ("open", "held")
"""One job that all write to without a lease, and one that is only written to under one."""

EXPECTED = (LeaseHeld, LeaseLost, RecordConflict, StoreLocked, TransitionRefused)
"""The errors that such a crowd must meet with: each of another's doing."""


def key_of(process: int, thread: int, number: int) -> str:
    return f"{process}-{thread}-{number}"


class _Thread:
    """One thread, its journal, and the keys that are its own."""

    def __init__(self, manager: StateManager, folder: Path, process: int, thread: int) -> None:
        self._manager = manager
        self._who = f"{process}-{thread}"
        self._process, self._thread = process, thread
        self._journal = (folder / f"{self._who}.journal").open("w", buffering=1)
        self._rng = random.Random(self._who)  # noqa: S311  seeded: turns are drawn, not secrets
        self._used = dict.fromkeys(JOBS, 0)

    def work(self, until: float, items: int) -> None:
        """Take turns until the time is up or the items are."""
        turns = {"record": self.record, "hold": self.hold, "meddle": self.meddle, "read": self.read}
        kinds = ("record",) * 6 + ("hold", "meddle", "read")
        try:
            while time.monotonic() < until and max(self._used.values()) < items - 3:
                try:
                    turns[self._rng.choice(kinds)]()
                except EXPECTED as error:
                    self._say("error", type(error).__name__, None)
        except BaseException as error:
            self._say("unexpected", repr(error), None)
            raise
        self._say("end", "", None)

    def record(self) -> None:
        """Record one or two items of one's own, and once in a while one of a neighbour."""
        self._record("open", self._rng.randint(1, 2))
        if self._rng.random() < 0.1:
            other = key_of(self._process, (self._thread + 1) % THREADS, 0)
            self._manager.record("open", [ItemEvent(other, "succeed", {"result": "stolen"})])

    def hold(self) -> None:
        """Take the other job for a moment and record under the lease."""
        with self._manager.lease("held", self._who, ttl_s=5, renewed=False):
            self._record("held", 1)

    def meddle(self) -> None:
        """What operators do: pause and resume, checkpoints."""
        if self._rng.random() < 0.5:
            self._manager.create_checkpoint("open", reason=self._who)
        else:
            self._manager.fire("open", "pause", operator=True)
            self._manager.fire("open", "resume", operator=True)

    def read(self) -> None:
        """What is read adds up, whatever the others do."""
        state = self._manager.get_state("open")
        assert state.progress.total == state.items.count
        assert len(self._manager.list_jobs()) == len(JOBS)
        results = dict(self._manager.results("held"))
        assert all(result == key for key, result in results.items())

    def _record(self, job_id: str, count: int) -> None:
        keys = []
        for _ in range(count):
            keys.append(key_of(self._process, self._thread, self._used[job_id]))
            self._used[job_id] += 1
        events = [ItemEvent(key, "start") for key in keys]
        events += [ItemEvent(key, "succeed", {"result": key}) for key in keys]
        state = self._manager.record(job_id, events)
        for key in keys:
            self._say("done", job_id, key)
        assert state.seq > 0

    def _say(self, kind: str, what: str, key: str | None) -> None:
        self._journal.write(json.dumps([kind, what, key]) + "\n")


def _main() -> None:
    folder, process, seconds, items = Path(sys.argv[1]), *map(float, sys.argv[2:5])
    store = open_store(sys.argv[5], create=False)
    watched = recorded(store, folder / f"{process}.history", f"process {process}")
    with StateManager(watched) as manager:
        manager.list_jobs()
        until = time.monotonic() + seconds
        crew = [_Thread(manager, folder, int(process), number) for number in range(THREADS)]
        threads = [threading.Thread(target=one.work, args=(until, int(items))) for one in crew]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()


if __name__ == "__main__":
    _main()
