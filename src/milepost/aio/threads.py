"""The threads that a manager's calls run in, each awaited by a coroutine."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, asynccontextmanager
from functools import partial
from itertools import islice
from typing import Final, ParamSpec, TypeVar

from milepost import arguments
from milepost.errors import StoreForked
from milepost.process.forks import here

__all__ = ["Threads", "taken"]

_MOST: Final = 10_000
_SLICE: Final = 256
"""How many entries of a stream are fetched by one call."""

_P = ParamSpec("_P")
_T = TypeVar("_T")


class Threads:
    """Up to `count` threads for the manager of the store at `url`; they are in one process alone.

    In the child of a fork there are none: every call raises StoreForked there.
    """

    def __init__(self, url: str, count: int) -> None:
        self._url = url
        self._here = here()
        self.executor: Executor = ThreadPoolExecutor(
            self.checked(count), thread_name_prefix="milepost-aio"
        )

    @staticmethod
    def checked(count: int) -> int:
        """The number of threads that is asked for. Raises ArgumentInvalid if it cannot be."""
        return arguments.integer("threads", count, 1, _MOST)

    @property
    def inherited(self) -> bool:
        """Whether this is a fork's copy, without the threads."""
        return self._here is not here()

    def refuse_fork(self) -> None:
        """Raise StoreForked in the child of a fork."""
        if self.inherited:
            raise StoreForked(url=self._url)

    async def call(self, method: Callable[_P, _T], /, *args: _P.args, **kwargs: _P.kwargs) -> _T:
        """The answer of `method`, called in a thread."""
        self.refuse_fork()
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self.executor, partial(method, *args, **kwargs))

    async def stream(
        self, method: Callable[_P, Iterator[_T]], /, *args: _P.args, **kwargs: _P.kwargs
    ) -> AsyncIterator[_T]:
        """The entries that `method` gives one after the other, fetched a slice at a time."""
        entries = await self.call(method, *args, **kwargs)
        while batch := await self.call(_slice, entries):
            for entry in batch:
                yield entry

    @asynccontextmanager
    async def entered(self, block: AbstractContextManager[_T]) -> AsyncIterator[_T]:
        """The value of `block`, entered and left in a thread; it is left, whoever is cancelled."""
        self.refuse_fork()
        entered = await taken(self.executor, block.__enter__, lambda _: _leave(block))
        try:
            yield entered
        finally:
            loop = asyncio.get_running_loop()
            await asyncio.shield(loop.run_in_executor(self.executor, _leave, block))


async def taken(executor: Executor, take: Callable[[], _T], give_back: Callable[[_T], None]) -> _T:
    """The answer of `take`, called in a thread; given back there if the coroutine is cancelled."""
    work = executor.submit(take)
    try:
        return await asyncio.wrap_future(work)
    except asyncio.CancelledError:
        work.add_done_callback(partial(_give_back, give_back))
        raise


def _give_back(give_back: Callable[[_T], None], work: Future[_T]) -> None:
    if not work.cancelled() and work.exception() is None:
        give_back(work.result())


def _leave(block: AbstractContextManager[object]) -> None:
    block.__exit__(None, None, None)


def _slice(entries: Iterator[_T]) -> list[_T]:
    return list(islice(entries, _SLICE))
