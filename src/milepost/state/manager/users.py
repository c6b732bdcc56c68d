"""The users of a manager, such as runs, who are asked to leave before it is closed."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final, Protocol

__all__ = ["Users"]

_log: Final = logging.getLogger("milepost.state")


class _Ask(Protocol):
    def __call__(self, *, hurried: bool) -> None: ...


@dataclass(frozen=True, slots=True, eq=False)
class _User:
    ask: _Ask
    longest_s: float
    thread: int


class Users:
    """The users of one manager. Safe for threads."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._present: list[_User] = []
        self._leaving = False

    @contextmanager
    def present(self, ask: _Ask, longest_s: float) -> Iterator[None]:
        """At work while the block runs; `ask` is called once it should end, from any thread.

        It is waited for `longest_s` then. One that comes too late is asked at once. It is asked
        again, `hurried`, when whoever waits for it is interrupted.
        """
        user = _User(ask, longest_s, threading.get_ident())
        with self._changed:
            self._present.append(user)
            leaving = self._leaving
        try:
            if leaving:
                ask(hurried=False)
            yield
        finally:
            with self._changed:
                self._present.remove(user)
                self._changed.notify_all()

    def dismiss(self) -> None:
        """Ask all to leave and wait until they have, each for as long as it said.

        Not for those in the calling thread, which could not end meanwhile. A KeyboardInterrupt
        that comes while it waits hurries them, and is raised once they have left: what they hold
        can be handed back only while the store is open. A second one is raised at once.
        """
        here = threading.get_ident()
        with self._changed:
            self._leaving = True
            asked = [user for user in self._present if user.thread != here]
        if not asked:
            return
        _log.info("closing: %d at work are asked to end", len(asked))
        try:
            gone = self._asked(asked, hurried=False)
        except KeyboardInterrupt:
            self._asked(asked, hurried=True)
            raise
        if not gone:
            _log.warning("closed under one that is still at work: it will meet a closed store")

    def _asked(self, users: Sequence[_User], *, hurried: bool) -> bool:
        """Ask these to leave; True once they have, False if one took longer than it said."""
        for user in users:
            user.ask(hurried=hurried)
        with self._changed:
            return self._changed.wait_for(
                lambda: not any(user in self._present for user in users),
                timeout=max(user.longest_s for user in users),
            )
