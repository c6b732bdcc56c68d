"""Observing holders: stamps for leases of this process, and verdicts on those of others."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import Final

from milepost.clock import SteadyClock
from milepost.log.rows import StoredLease
from milepost.process.identity import Processes
from milepost.state.writing.liveness import (
    Here,
    Standing,
    Verdict,
    current_by_wall,
    is_there,
    judge,
)

__all__ = ["Observer"]

_WATCHED: Final = 65_536


class Observer:
    """One process's view of who is alive, for the leases of one store. Safe for threads.

    What it has seen of those who have no time in common with it is kept in memory, of the
    `watched` that it looked at last.
    """

    def __init__(
        self, clock: SteadyClock, processes: Processes, *, watched: int = _WATCHED
    ) -> None:
        self._clock = clock
        self.now_us = clock.now_us  # the wall clock's time
        self._processes = processes
        self._watched = watched
        self._lock = threading.RLock()  # a signal's handler may look at a job too
        self._seen: OrderedDict[int, tuple[StoredLease, int]] = OrderedDict()

    def monotonic_us(self) -> int:
        """The steady time."""
        return self._clock.monotonic_us()

    def stamp(self, owner: str, fence: int, ttl_s: float, now_us: int) -> StoredLease:
        """The lease of a holder in this process that takes or renews it now.

        Call it under the write lock: a holder that waited for the lock renews when it has it.
        """
        ttl_us = int(ttl_s * 1_000_000)
        process = self._processes.this()
        return StoredLease(
            owner,
            fence,
            now_us + ttl_us,
            ttl_us=ttl_us,
            renewed_us=self._clock.monotonic_us(),
            timeline=self._clock.timeline(),
            pid_scope=None if process is None else process.scope,
            pid=None if process is None else process.pid,
            pid_started=None if process is None else process.started,
        )

    def judge(self, number: int, stored: StoredLease) -> Verdict:
        """How the holder of the job's lease stands; `stored` was read just before.

        Cost: a look at the process, where it is one of this machine.
        """
        here = self._here(stored)
        verdict = judge(stored, here, self._first_seen_us(number, stored))
        if verdict.standing == Standing.WATCHED:
            self._watch(number, stored, here.monotonic_us)
        return verdict

    def sees(self, stored: StoredLease) -> bool:
        """True if the holder's process is there: of this machine, and not ended."""
        return is_there(stored, self._here(stored))

    def _here(self, stored: StoredLease) -> Here:
        process = self._processes.this() if stored.pid_scope is not None else None
        return Here(
            monotonic_us=self._clock.monotonic_us(),
            timeline=self._clock.timeline(),
            scope=None if process is None else process.scope,
            host=self._processes.host,
            is_gone=self._processes.is_gone,
        )

    def seems_silent(self, stored: StoredLease) -> bool:
        """True if a holder that is to be watched is likely to be dead; that is no proof.

        By the wall clock, or since it is of another boot than this process.
        """
        here = self._clock.timeline()
        elsewhere = None not in (stored.timeline, here) and stored.timeline != here
        return elsewhere or not current_by_wall(stored, self._clock.now_us())

    def _first_seen_us(self, number: int, stored: StoredLease) -> int | None:
        with self._lock:
            seen = self._seen.get(number)
        return seen[1] if seen is not None and seen[0] == stored else None

    def _watch(self, number: int, stored: StoredLease, at_us: int) -> None:
        with self._lock:
            seen = self._seen.get(number)
            if seen is None or seen[0] != stored:
                self._seen[number] = stored, at_us
            self._seen.move_to_end(number)
            while len(self._seen) > self._watched:
                self._seen.popitem(last=False)
