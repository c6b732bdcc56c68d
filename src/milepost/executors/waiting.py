"""Waiting for the lease of another executor: for whom, how long, and until what is known of it."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import Final, Literal, TypeAlias, TypeVar

from milepost.arguments import refuse
from milepost.errors import LeaseHeld
from milepost.executors.stopping import Stopping, stop_signals
from milepost.text.escapes import printable

__all__ = ["Wait", "check_wait", "lease_of_job", "wait_until_expired"]

_T = TypeVar("_T")

Wait: TypeAlias = Callable[[LeaseHeld], None] | Literal["no", "for its ttl", "for ever"]
"""How long a run waits for another holder, or what it asks before every new try."""

_MODES: Final = ("no", "for its ttl", "for ever")
_LONGEST_S: Final = 0.5  # a holder may give its lease back before it expires
_MARGIN_S: Final = 1.0  # beyond its ttl: a renewal may be late, and so may we


def wait_until_expired(held: LeaseHeld) -> None:
    """Sleep until the lease that is in the way expires, half a second at the most.

    For `run(..., wait=wait_until_expired)`, which asks again each time: the run then begins as
    soon as the holder has ended, one way or the other, and waits for ever on one that renews.
    """
    time.sleep(_pause_s(held))


def check_wait(wait: object) -> None:
    """Raise ArgumentInvalid for what is no Wait."""
    if not callable(wait) and (not isinstance(wait, str) or wait not in _MODES):
        refuse("wait", wait, f"one of {', '.join(map(repr, _MODES))}, or something to call")


def lease_of_job(
    take: Callable[[], _T],
    wait: Wait,
    on_wait: Callable[[LeaseHeld], None] | None,
    clock: Callable[[], float],
    stop: Stopping,
) -> _T | None:
    """What `take` gives once no other holder is in the way; None if the `stop` came before.

    Whom it waits for, and how long at most, goes to `on_wait`, and to stderr unless `wait` is the
    caller's own: once for each holder. One that renews is alive: after its ttl the LeaseHeld is
    raised, unless `wait` is for ever. SIGINT and SIGTERM end the wait in the main thread, unless
    it is the caller's own. Cost: a try each half second, which writes nothing.
    """
    if stop.requested:
        return None
    try:
        return take()
    except LeaseHeld as error:
        if wait == "no":
            raise
        held = error
    tell = on_wait or _untold
    if not isinstance(wait, str):
        return _asked(take, held, wait, tell, stop)
    woken = threading.Event()
    stop.wake = woken.set
    with stop_signals(stop):
        return _watched(take, held, wait == "for ever", tell, clock, stop, woken)


def _asked(
    take: Callable[[], _T],
    held: LeaseHeld,
    wait: Callable[[LeaseHeld], None],
    tell: Callable[[LeaseHeld], None],
    stop: Stopping,
) -> _T | None:
    """What `take` gives, once `wait` has been called before every new try."""
    told: LeaseHeld | None = None
    while True:
        if not _is_same(told, held):
            tell(held)
            told = held
        wait(held)
        if stop.requested:
            return None
        try:
            return take()
        except LeaseHeld as error:
            held = error


def _watched(
    take: Callable[[], _T],
    held: LeaseHeld,
    for_ever: bool,  # noqa: FBT001 of a `wait`
    tell: Callable[[LeaseHeld], None],
    clock: Callable[[], float],
    stop: Stopping,
    woken: threading.Event,
) -> _T | None:
    told: LeaseHeld | None = None
    since_s, renews = clock(), False
    while True:
        if not _is_same(told, held):
            since_s, renews, told = clock(), False, held
            _say(held, for_ever=for_ever)
            tell(held)
        if not stop.requested:
            woken.wait(_pause_s(held))
        if stop.requested:
            return None
        try:
            return take()
        except LeaseHeld as error:
            # by a time that nobody sets, less is left unless it was renewed
            renews = renews or (_is_same(held, error) and error.left_s > held.left_s)
            held = error
        if not for_ever and _is_same(told, held) and clock() - since_s >= held.ttl_s + _MARGIN_S:
            raise replace(held, renews=renews)


def _is_same(one: LeaseHeld | None, other: LeaseHeld) -> bool:
    return one is not None and (one.owner, one.fence) == (other.owner, other.fence)


def _pause_s(held: LeaseHeld) -> float:
    return min(max(held.left_s, 0.01), _LONGEST_S)


def _say(held: LeaseHeld, *, for_ever: bool) -> None:
    """One line on stderr, where there is one: a program that seems to hang should say why."""
    most = f"until it gives the job back, or has not renewed its lease for {held.ttl_s:g} s"
    if not for_ever:
        most = f"{held.ttl_s + _MARGIN_S:g} s at most"
    line = printable(f"milepost: job {held.job_id} is held by {held.owner}: waiting {most}")
    if sys.stderr is not None:
        with suppress(OSError, ValueError):  # it was closed: then nobody reads it
            sys.stderr.write(f"{line}\n")
            sys.stderr.flush()


def _untold(held: LeaseHeld) -> None:
    del held
