"""The time of a server: one for all that share it, however their own clocks are set."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

__all__ = ["ServerClock"]


class ServerClock:
    """A SteadyClock that tells the server's time, from what its answers said.

    Between two answers it goes on by this machine's steady time. An answer is older than when it
    arrives, by half of the way there and back at the most probable, so the time that is told is
    behind the server's by less than one such way. It never falls.
    """

    def __init__(self, timeline: str, steady_ns: Callable[[], int] = time.monotonic_ns) -> None:
        self._timeline = timeline
        self._steady_ns = steady_ns
        self._lock = threading.Lock()
        self._ahead_us = 0
        self._last_us = 0

    def heard(self, server_us: int) -> None:
        """The server said just now that it is `server_us`, in microseconds since 1970."""
        with self._lock:
            self._ahead_us = server_us - self._steady_ns() // 1000

    def now_us(self) -> int:
        """Microseconds since 1970-01-01, UTC, by the server."""
        return self.monotonic_us()

    def monotonic_us(self) -> int:
        """The same time: nobody here sets it."""
        with self._lock:
            self._last_us = max(self._last_us, self._steady_ns() // 1000 + self._ahead_us)
            return self._last_us

    def timeline(self) -> str | None:
        """The server, by the identifier that its data was made with."""
        return self._timeline
