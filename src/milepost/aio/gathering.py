"""Coroutines that write at once: what they ask for is handed to one thread, all of it together.

A thread for each of them would cost more than the write: being handed from one thread to the next
takes longer than deciding what an item's event does. While one lot is being written, the next
gathers.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from contextlib import suppress
from typing import NamedTuple

from milepost.job.state import JobState
from milepost.state.transitions import Write

__all__ = ["Gatherer"]


class _Asked(NamedTuple):
    """A write, and where its coroutine waits for what it comes to."""

    write: Write
    answer: asyncio.Future[JobState]


class Gatherer:
    """Hands writes to `write_each` in one of `threads`; safe for any number of loops and threads.

    `write_each` gives what each write comes to, in order.
    """

    def __init__(
        self,
        write_each: Callable[[Sequence[Write]], Sequence[JobState | Exception]],
        threads: Executor,
    ) -> None:
        self._write_each = write_each
        self._threads = threads
        self._lock = threading.Lock()  # of what follows; never held while writing
        self._asked: list[_Asked] = []
        self._under_way = False

    async def write(self, write: Write) -> JobState:
        """The state that `write` is a durable part of; raises what it is refused for.

        A coroutine that is cancelled while it waits takes nothing back: the write happens.
        Raises RuntimeError once the threads have been shut down.
        """
        answer: asyncio.Future[JobState] = asyncio.get_running_loop().create_future()
        with self._lock:
            if not self._under_way:
                self._threads.submit(self._serve)
                self._under_way = True
            self._asked.append(_Asked(write, answer))
        return await answer

    def _serve(self) -> None:
        """Write what was asked for; what has gathered meanwhile waits for its turn of a thread."""
        while True:
            with self._lock:
                lot, self._asked = self._asked, []
            self._write(lot)
            with self._lock:
                if not self._asked:
                    self._under_way = False
                    return
                with suppress(RuntimeError):  # the threads are being shut down: this one goes on
                    self._threads.submit(self._serve)
                    return

    def _write(self, lot: Sequence[_Asked]) -> None:
        """Write one lot, and tell each coroutine in its own loop what came of it."""
        outcomes: Sequence[JobState | BaseException]
        try:
            outcomes = self._write_each([asked.write for asked in lot])
        except BaseException as error:  # noqa: BLE001 whoever waits must hear of it
            outcomes = [error] * len(lot)
        by_loop: dict[asyncio.AbstractEventLoop, list[tuple[_Asked, JobState | BaseException]]] = {}
        for asked, outcome in zip(lot, outcomes, strict=True):
            by_loop.setdefault(asked.answer.get_loop(), []).append((asked, outcome))
        for loop, answers in by_loop.items():
            with suppress(RuntimeError):  # it was closed: nobody waits there any more
                loop.call_soon_threadsafe(_answer, answers)


def _answer(outcomes: Sequence[tuple[_Asked, JobState | BaseException]]) -> None:
    for (_, answer), outcome in outcomes:
        if answer.done():
            continue  # its coroutine was cancelled
        if isinstance(outcome, StopIteration):  # no future takes one, and no coroutine raises one
            answer.set_exception(RuntimeError(f"a payload raised {outcome!r}"))
        elif isinstance(outcome, BaseException):
            answer.set_exception(outcome)
        else:
            answer.set_result(outcome)
