"""Who reads and writes a store in a test, and who waits for whom, where one does."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Literal

from milepost.testing.contracts.patience import place_of

__all__ = ["Turns", "TurnsOf"]

_At = Literal["waits to begin", "is at work", "waits to end"]


class Turns:
    """The readers and writers of one test. Safe in any thread, and in a handler of signals."""

    def __init__(self) -> None:
        self._now: dict[object, tuple[str, _At]] = {}
        self.count = 0
        """How often one of them has begun or ended."""

    @contextmanager
    def turn(self, kind: str, begin: Callable[[], AbstractContextManager[Any]]) -> Iterator[Any]:
        """A reader or writer, which is known from before it begins until it has ended."""
        key, who = object(), f"a {kind} at {place_of()}"
        self._now[key] = who, "waits to begin"
        try:
            with begin() as given:
                self._moved(key, who, "is at work")
                try:
                    yield given
                finally:
                    self._moved(key, who, "waits to end")
        finally:
            del self._now[key]
            self.count += 1

    def _moved(self, key: object, who: str, at: _At) -> None:
        self._now[key] = who, at
        self.count += 1

    def told(self) -> str:
        """Where all of them are, in the order in which they came."""
        now = [f"{who} {at}" for who, at in list(self._now.values())]
        return f"{'; '.join(now) or 'nobody reads or writes'}, and nothing else happens"


class TurnsOf:
    """A store whose readers and writers are known; all else is its own."""

    def __init__(self, inner: Any, turns: Turns) -> None:  # Any: whichever store it is
        self._inner = inner
        self._turns = turns

    def __getattr__(self, name: str) -> Any:  # Any: whichever method of a store it is
        return getattr(self._inner, name)

    def reading(self) -> AbstractContextManager[Any]:
        """See StateStore."""
        return self._turns.turn("reader", self._inner.reading)

    def writing(self, *jobs: str) -> AbstractContextManager[Any]:
        """See StateStore."""
        return self._turns.turn("writer", lambda: self._inner.writing(*jobs))

    def appending(self, *jobs: str) -> AbstractContextManager[Any]:
        """See StateStore."""
        return self._turns.turn("writer", lambda: self._inner.appending(*jobs))
