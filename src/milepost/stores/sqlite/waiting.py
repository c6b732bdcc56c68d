"""Waiting for a busy SQLite file: short uneven naps, so that nobody is starved by those who wait.

SQLite's own busy handler naps longer the longer it has waited, so that newcomers ask oftener than
those who were there before them, and a writer may wait for seconds while others pass it by. Here
every nap is drawn alike, whatever has been waited: each time that the file is free, all who wait
are as likely to be next.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import Final, TypeVar

import apsw

__all__ = ["Patience"]

_T = TypeVar("_T")
_NAP_S: Final = 0.001


class Patience:
    """How one connection waits: up to `limit_s` for each lock. Not for two threads at once.

    Itself it is SQLite's busy handler. `now` gives seconds from any start, `nap` waits so many
    seconds, `draw` gives a number from 0 to 1.
    """

    def __init__(
        self,
        limit_s: float,
        *,
        now: Callable[[], float] = time.monotonic,
        nap: Callable[[float], None] = time.sleep,
        draw: Callable[[], float] = random.random,
    ) -> None:
        self.limit_s = limit_s
        self._now = now
        self._nap = nap
        self._draw = draw
        self._until = 0.0
        self._insisting = False

    def __call__(self, waited: int) -> bool:
        """Nap, and True to ask again; False once the time is over. `waited` counts the naps."""
        if waited == 0 and not self._insisting:
            self._until = self._now() + self.limit_s
        left_s = self._until - self._now()
        if left_s <= 0:
            return False
        self._nap(min(left_s, _NAP_S * (0.5 + self._draw())))
        return True

    def until(self, ready: Callable[[], bool]) -> bool:
        """True once `ready` gives so, asked again after every nap; False when the time is over."""
        waited = 0
        while not ready():
            if not self(waited):
                return False
            waited += 1
        return True

    def insist(self, action: Callable[[], _T]) -> _T:
        """The answer of `action`, once the file is not busy any more; it must bear being repeated.

        For what SQLite gives up at once, without asking its busy handler: to change the journal
        mode, to read while the log of a crashed process is recovered. Raises BusyError or
        ProtocolError when the time is over.
        """
        self._until = self._now() + self.limit_s
        self._insisting = True
        try:
            waited = 0
            while True:
                try:
                    return action()
                except (apsw.BusyError, apsw.ProtocolError):
                    if not self(waited):
                        raise
                waited += 1
        finally:
            self._insisting = False
