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

from milepost.job import JobState
from milepost.state.transitions import Write

__all__ = ["Coalescer"]


class _Asked(NamedTuple):
    """A write, and where its coroutine waits for what it comes to."""

    write: Write
    answer: asyncio.Future[JobState]


class Coalescer:
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
        """Write all that was asked for, lot by lot, until nothing is left."""
        while lot := self._next():
            outcomes: Sequence[JobState | BaseException]
            try:
                outcomes = self._write_each([asked.write for asked in lot])
            except BaseException as error:  # noqa: BLE001 whoever waits must hear of it
                outcomes = [error] * len(lot)
            answers: dict[asyncio.AbstractEventLoop, list[tuple[_Asked, JobState | BaseException]]]
            answers = {}
            for asked, outcome in zip(lot, outcomes, strict=True):
                answers.setdefault(asked.answer.get_loop(), []).append((asked, outcome))
            for loop, of_loop in answers.items():
                with suppress(RuntimeError):  # it was closed: nobody waits there any more
                    loop.call_soon_threadsafe(_answer, of_loop)

    def _next(self) -> list[_Asked]:
        with self._lock:
            lot, self._asked = self._asked, []
            self._under_way = bool(lot)
        return lot


def _answer(outcomes: Sequence[tuple[_Asked, JobState | BaseException]]) -> None:
    for (_, answer), outcome in outcomes:
        if answer.done():
            continue  # its coroutine was cancelled
        if isinstance(outcome, BaseException):
            answer.set_exception(outcome)
        else:
            answer.set_result(outcome)
