"""A line of threads in which the first serves all that wait: a leader and followers.

Those that were served are woken one by the other, not all by the leader: so few of them contend
for the interpreter at a time, which with 64 threads saves a quarter of the processor's time.

An interrupt (KeyboardInterrupt) may meet any of them, wherever Python looks for one: as a function
is entered or returned from, and in loops. It is that thread's alone. What others rely on is done
all the same, and again from its beginning if it was cut short, so each part of it can be repeated.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Generic, TypeVar

__all__ = ["Line", "Place"]


@dataclass(slots=True, eq=False, kw_only=True)
class Place:
    """One thread's place in a line. Held while it waits: `ready`.

    `answered` says that it was served. Whoever serves sets it for those that need not be served
    again if it is cut short; those that are not answered then go back to the front of the line.
    """

    ready: threading.Lock = field(default_factory=threading.Lock)
    answered: bool = False
    leads: bool = False
    woken: bool = False
    left: bool = False
    behind: Place | None = None
    handed_over: bool = False
    heir: Place | None = None


_P = TypeVar("_P", bound=Place)


class Line(Generic[_P]):
    """Calls `serve` with all that wait, in the order in which they came, one call at a time."""

    def __init__(self, serve: Callable[[list[_P]], None]) -> None:
        self._serve = serve
        self._lock = threading.Lock()  # of the line and its places; never held while serving
        self.waiting: list[_P] = []
        self._busy = False

    def stand(self, place: _P) -> None:
        """Return once `place` has been served, by this thread or by another that led.

        Raises what `serve` raises if this thread leads, and the interrupt that meets it while it
        waits; then it leaves the line and holds nobody up.
        """
        try:
            place.ready.acquire()
            with self._lock:
                self.waiting.append(place)
                place.leads = not self._busy
                self._busy = True
            if not place.leads:
                place.ready.acquire()
            if place.leads:
                self._lead(place)
            else:
                self._wake(place.behind)
        except BaseException:
            while True:  # it is cut short once or twice at the most; here, since to call is to look
                try:
                    self._leave(place)
                    break
                except KeyboardInterrupt:
                    continue
            raise

    def _lead(self, leader: _P) -> None:
        """Serve all that wait, then hand the lead to the first of those that came meanwhile."""
        served: list[_P] = []
        whole = False
        try:
            with self._lock:
                served, self.waiting = self.waiting, []
            if served:
                self._serve(served)
                whole = True
        finally:
            cut: KeyboardInterrupt | None = None
            while True:
                try:
                    self._hand_over(leader, served, whole)
                    break
                except KeyboardInterrupt as error:
                    cut = error
            if cut is not None:
                raise cut

    def _hand_over(self, leader: _P, served: list[_P], whole: bool) -> None:  # noqa: FBT001
        """Let those that were answered go, all of them if `whole`, and another lead.

        The rest waits again, before all others, and is answered by a new leader. May be repeated.
        """
        followers: list[_P] = []
        again: list[_P] = []
        if len(served) != 1 or served[0] is not leader:
            followers = [p for p in served if p is not leader and (whole or p.answered)]
            again = [p for p in served if p is not leader and not (whole or p.answered)]
        for place, behind in pairwise(followers):
            place.behind = behind
        with self._lock:
            if not leader.handed_over:
                if again:
                    self.waiting = [place for place in again if not place.left] + self.waiting
                heir = self.waiting[0] if self.waiting else None
                self._busy = heir is not None
                leader.heir = heir
                leader.handed_over = True
            following = leader.heir
            if following is not None and not following.leads:
                following.leads = True
                following.ready.release()
        if followers:
            self._wake(followers[0])

    def _wake(self, place: Place | None) -> None:
        """Let the first from `place` on that has not left go on; it wakes the one behind it."""
        with self._lock:
            while place is not None and place.left:
                place = place.behind
            if place is not None and not place.woken:
                place.woken = True
                place.ready.release()

    def _leave(self, place: _P) -> None:
        """After an interrupt: what was not begun is not asked for, what others rely on is done."""
        with self._lock:
            place.left = True
            if place in self.waiting:
                self.waiting.remove(place)
        if place.leads and not place.handed_over:
            self._lead(place)
        elif place.woken:
            self._wake(place.behind)
