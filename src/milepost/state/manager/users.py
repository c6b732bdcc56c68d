"""Those who are at work on a manager, who are asked to leave before it is closed."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

__all__ = ["Users"]

_log: Final = logging.getLogger("milepost.state")


@dataclass(frozen=True, slots=True, eq=False)
class _User:
    ask: Callable[[], None]
    longest_s: float
    thread: int


class Users:
    """Who is at work. Safe for threads."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._present: list[_User] = []
        self._leaving = False

    @contextmanager
    def present(self, ask: Callable[[], None], longest_s: float) -> Iterator[None]:
        """At work while the block runs; `ask` is called once it should end, from any thread.

        It is waited for `longest_s` then. One that comes too late is asked at once.
        """
        user = _User(ask, longest_s, threading.get_ident())
        with self._changed:
            self._present.append(user)
            leaving = self._leaving
        try:
            if leaving:
                ask()
            yield
        finally:
            with self._changed:
                self._present.remove(user)
                self._changed.notify_all()

    def dismiss(self) -> None:
        """Ask all to leave and wait until they have, each for as long as it said.

        Not for those in the calling thread, which could not end meanwhile.
        """
        here = threading.get_ident()
        with self._changed:
            self._leaving = True
            asked = [user for user in self._present if user.thread != here]
        if not asked:
            return
        _log.info("closing: %d at work are asked to end", len(asked))
        for user in asked:
            user.ask()
        with self._changed:
            gone = self._changed.wait_for(
                lambda: not any(user in self._present for user in asked),
                timeout=max(user.longest_s for user in asked),
            )
        if not gone:
            _log.warning("closed under one that is still at work: it will meet a closed store")
