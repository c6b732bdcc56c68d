"""Whether the holder of a lease may be replaced: pure, from what is stored and what is here.

No wall clock is looked at: it may be set at any time, on either side.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from milepost.log.rows import StoredLease
from milepost.process.identity import Process

__all__ = [
    "ASSUMED_TTL_US",
    "Here",
    "Standing",
    "Verdict",
    "current_by_wall",
    "is_there",
    "judge",
]

ASSUMED_TTL_US: Final = 30_000_000
"""The ttl of a lease that does not say its own: of a format before they did."""


class Standing(StrEnum):
    """How a holder stands, as far as this process can know."""

    ALIVE = "alive"  # it renewed within its ttl, by a time that we share
    WATCHED = "watched"  # no time is shared: it may be replaced once we saw it silent for its ttl
    LAPSED = "lapsed"  # it has not renewed for its ttl
    GONE = "gone"  # its process has ended


@dataclass(frozen=True, slots=True, kw_only=True)
class Here:
    """The knowledge of an observer: its steady time, the timeline of that time, and processes.

    `scope` is what its pids are names in, None where they cannot be told; `is_gone` is asked of
    processes of that scope alone. `host` is for people.
    """

    monotonic_us: int
    timeline: str | None
    scope: str | None
    host: str
    is_gone: Callable[[Process], bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """How the holder stands, and in how long at most it may be replaced unless it renews.

    `why` says how that is known, as of its lease; `reason` why it may be replaced now, with its
    name, and is empty if it may not.
    """

    standing: Standing
    left_us: int
    ttl_us: int
    why: str
    reason: str = ""

    @property
    def replaceable(self) -> bool:
        """True if another may take the job without a reason of its own."""
        return self.standing in (Standing.LAPSED, Standing.GONE)


def judge(stored: StoredLease, here: Here, seen_us: int | None) -> Verdict:
    """How the holder of `stored` stands.

    `seen_us` is the observer's steady time when it first saw just this renewal, None if that is
    now. It counts where the holder's time cannot be compared with ours: it is of another boot, of
    another host, of a clock of somebody's own, or of a format that did not store it.
    """
    ttl_us = ASSUMED_TTL_US if stored.ttl_us is None else stored.ttl_us
    process = _process(stored)
    if process is not None and process.scope == here.scope and here.is_gone(process):
        why = f"its process (pid {process.pid} on {here.host}) is gone"
        reason = f"the lease of {stored.owner}: {why}"
        return Verdict(standing=Standing.GONE, left_us=0, ttl_us=ttl_us, why=why, reason=reason)
    silent_us = _silent_us(stored, here)
    standing, why = Standing.ALIVE, "it was renewed"
    if silent_us is None:
        silent_us = 0 if seen_us is None else here.monotonic_us - seen_us
        standing, why = Standing.WATCHED, "its clock cannot be compared: it has to be watched"
    left_us = ttl_us - silent_us
    if left_us <= 0:
        reason = f"the lease of {stored.owner} had expired"
        why = "it had expired"
        return Verdict(standing=Standing.LAPSED, left_us=0, ttl_us=ttl_us, why=why, reason=reason)
    return Verdict(standing=standing, left_us=left_us, ttl_us=ttl_us, why=why)


def current_by_wall(stored: StoredLease, now_us: int) -> bool:
    """True if the lease has not run out by the wall clocks of its holder and of here.

    For lists, and for those who cannot stay to watch. What would last for longer than its ttl is
    of a clock that was corrected, and says nothing.
    """
    left_us = stored.expires_at_us - now_us
    return left_us > 0 and (stored.ttl_us is None or left_us <= stored.ttl_us)


def is_there(stored: StoredLease, here: Here) -> bool:
    """True if the holder's process is one of ours to see, and has not ended."""
    process = _process(stored)
    return process is not None and process.scope == here.scope and not here.is_gone(process)


def _process(stored: StoredLease) -> Process | None:
    if stored.pid_scope is None or stored.pid is None or stored.pid_started is None:
        return None
    return Process(scope=stored.pid_scope, pid=stored.pid, started=stored.pid_started)


def _silent_us(stored: StoredLease, here: Here) -> int | None:
    """How long ago it was renewed; None where the times cannot be compared."""
    if stored.timeline is None or stored.timeline != here.timeline or stored.renewed_us is None:
        return None
    silent_us = here.monotonic_us - stored.renewed_us
    return silent_us if silent_us >= 0 else None  # that cannot be: so it is not the same time
