"""Calls that say when they begin, and go on until they are let go: what an engine is tried with."""

from __future__ import annotations

import asyncio
import fcntl
import time
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self
from uuid import uuid4

from milepost.executors.engines.protocol import TOKENS, Engine

__all__ = ["Held", "HeldCalls"]

_LOOK_S: Final = 0.002


@dataclass(frozen=True)
class Held:
    """A function of a number, each call of which is seen from outside by files in `folder`.

    The number is added to the file `begun`. As long as the call goes on it holds the lock of a file
    of its own, which the system takes from a process that is killed. It ends once it is let go, or
    after `longest_s`. Where it is `awaited` it is a coroutine.
    """

    folder: Path
    longest_s: float
    awaited: bool = False

    def __call__(self, number: int) -> int | Coroutine[Any, Any, int]:
        """The number, once it is let go."""
        return self._awaited(number) if self.awaited else self._plain(number)

    def _plain(self, number: int) -> int:
        with self._under_way(number) as until_s:
            while self._waits(number, until_s):
                time.sleep(_LOOK_S)
        return number

    async def _awaited(self, number: int) -> int:
        with self._under_way(number) as until_s:
            while self._waits(number, until_s):
                await asyncio.sleep(_LOOK_S)
        return number

    @contextmanager
    def _under_way(self, number: int) -> Iterator[float]:
        with self.lock(number).open("wb") as held:
            fcntl.flock(held, fcntl.LOCK_EX)
            with (self.folder / "begun").open("a", encoding="ascii") as begun:
                begun.write(f"{number}\n")
            yield time.monotonic() + self.longest_s

    def _waits(self, number: int, until_s: float) -> bool:
        return not self.sign(number).exists() and time.monotonic() < until_s

    def lock(self, number: int) -> Path:
        """The file that the call with that number holds."""
        return self.folder / f"{number}.held"

    def sign(self, number: int) -> Path:
        """The file at which the call with that number ends."""
        return self.folder / f"{number}.go"


class HeldCalls:
    """Held calls that an engine was given, by their numbers, which count up from 0.

    As a context it lets all of them go at its end, and waits until they have ended.

    Args:
        engine: The engine.
        folder: Where calls are seen.
        patience_s: Seconds that something is waited for.
    """

    def __init__(self, engine: Engine, folder: Path, patience_s: float) -> None:
        self.engine = engine
        self.futures: list[Future[Any]] = []
        self._patience_s = patience_s
        self._held = Held(folder, 3 * patience_s, engine.awaits)
        self._run = uuid4().hex
        folder.mkdir(exist_ok=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        every = range(len(self.futures))
        self.let_go(*every)
        self._wait(lambda: not any(self.goes_on(number) for number in every))

    def give(self, count: int) -> None:
        """Give the engine so many calls more, which have a limit of time that none comes to."""
        for _ in range(count):
            number = len(self.futures)
            future = self.engine.submit(
                self._held,
                number,
                token=f"{TOKENS}{self._run}-{number}",
                timeout_s=self._held.longest_s,
            )
            self.futures.append(future)

    def let_go(self, *numbers: int) -> None:
        """Let calls end, or not wait at all if they begin later."""
        for number in numbers:
            self._held.sign(number).touch()

    def begun(self) -> list[int]:
        """The calls that have begun, in the order in which they did."""
        file = self._held.folder / "begun"
        return [int(line) for line in file.read_text("ascii").split()] if file.exists() else []

    def goes_on(self, number: int) -> bool:
        """True if the call has begun and has not ended, in whatever way."""
        if number not in self.begun():
            return False
        with self._held.lock(number).open("rb") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return True
        return False

    def until(self, comes: Callable[[], bool], problem: str | Callable[[], str]) -> None:
        """Return once that comes. Raises AssertionError with the problem where it never does."""
        if not self._wait(comes):
            what = problem if isinstance(problem, str) else problem()
            raise AssertionError(f"{what}, after {self._patience_s:g} s")

    def look(self, comes: Callable[[], bool], within_s: float) -> None:
        """Return once that comes, or once it was looked for so long."""
        self._wait(comes, within_s)

    def _wait(self, comes: Callable[[], bool], longest_s: float | None = None) -> bool:
        until_s = time.monotonic() + (self._patience_s if longest_s is None else longest_s)
        while not comes():
            if time.monotonic() > until_s:
                return False
            time.sleep(_LOOK_S)
        return True
