"""The part of AsyncStateManager by hand: its threads, and the gathering of its writes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Generic, Self, TypeVar

from milepost import arguments
from milepost.aio.gathering import Gatherer
from milepost.aio.threads import Threads, taken
from milepost.job.state import JobState
from milepost.machine import Payload, Values
from milepost.state.manager import StateManager
from milepost.state.transitions import ItemEvent, JobEvent, Write
from milepost.state.writing.lease import Lease
from milepost.text.wording import one_line

__all__ = ["Base", "Part"]

_T = TypeVar("_T")


class Base:
    """A method `_NAME` here is called by the generated method NAME, which says what it does."""

    def __init__(self, manager: StateManager, *, threads: int = 32) -> None:
        arguments.instance("manager", manager, StateManager)
        self.manager = manager
        self._threads = Threads(manager.url, threads)
        self._writes = Gatherer(manager.write_each, self._threads.executor)

    @classmethod
    async def _opened(cls, opened: Callable[[], StateManager], threads: int) -> Self:
        """The twin of the manager that `opened` gives, which is called in a thread.

        If the coroutine is cancelled meanwhile, the manager is closed again.
        """
        Threads.checked(threads)
        executor = ThreadPoolExecutor(1, thread_name_prefix="milepost-aio-open")
        try:
            manager = await taken(executor, opened, StateManager.close)
        finally:
            executor.shutdown(wait=False)
        return cls(manager, threads=threads)

    async def _now_us(self) -> int:
        return self.manager.now_us()

    async def _monotonic_us(self) -> int:
        return self.manager.monotonic_us()

    async def _close(self) -> None:
        """Close the manager, after what is under way."""
        if self._threads.inherited:
            return
        await asyncio.to_thread(self._threads.executor.shutdown)
        await asyncio.to_thread(self.manager.close)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._close()

    async def _fire(
        self,
        job_id: str,
        event: str,
        payload: Values | Payload | None,
        *,
        lease: Lease | None,
        operator: bool,
    ) -> JobState:
        self._threads.refuse_fork()
        return await self._writes.write(Write(job_id, [JobEvent(event, payload)], lease, operator))

    async def _record(
        self,
        job_id: str,
        item_events: Iterable[ItemEvent],
        *,
        lease: Lease | None,
        operator: bool,
    ) -> JobState:
        wanted = list(arguments.iterable("item_events", item_events, "an iterable of ItemEvent"))
        self._threads.refuse_fork()
        return await self._writes.write(Write(job_id, wanted, lease, operator))

    async def _write_each(self, writes: Iterable[Write]) -> list[JobState | Exception]:
        asked = list(arguments.iterable("writes", writes, "an iterable of Write"))
        return await self._threads.call(self.manager.write_each, asked)

    def __repr__(self) -> str:
        return one_line(f"<{type(self).__name__} on {self.manager.url}>")


class Part(Generic[_T]):
    """The twin of an object that a manager has: its calls run in the threads of the manager."""

    def __init__(self, part: _T, threads: Threads) -> None:
        self.part = part
        self._threads = threads

    def __repr__(self) -> str:
        return repr(self.part).replace("<", "<Async", 1)
