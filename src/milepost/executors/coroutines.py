"""An executor for coroutines: an event loop in a thread of its own, so many of them at a time."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Coroutine
from concurrent.futures import Executor, Future
from contextlib import suppress
from inspect import isawaitable
from typing import TYPE_CHECKING, Any, NamedTuple, ParamSpec, TypeVar, overload

from milepost.arguments import integer
from milepost.process.forks import here

if TYPE_CHECKING:
    import asyncio

__all__ = ["CoroutineExecutor"]

_P = ParamSpec("_P")
_T = TypeVar("_T")


class _Call(NamedTuple):
    """Something that was submitted. Any: the executor looks at neither arguments nor result."""

    future: Future[Any]
    begin: Callable[[], Any]


class CoroutineExecutor(Executor):
    """Runs coroutine functions on one event loop, at most `concurrency` of them at a time.

    For `run`, with an `async def` as `map_fn`: as many items are worked on as may wait at once,
    and none of them takes a thread. What is no coroutine function is called in the loop's thread,
    and holds all others up. The loop ends with `shutdown`, or with the process. In the child of a
    fork there is no loop: nothing can be submitted there, and there is nothing to shut down.
    """

    def __init__(self, concurrency: int = 64) -> None:
        import asyncio  # noqa: PLC0415 30 ms, which other executors do without

        concurrency = integer("concurrency", concurrency, 1)
        self._max_workers = concurrency  # the name by which the library's own executors say it
        self._here = here()  # the loop's thread is in this process alone
        self._lock = threading.Lock()  # of what waits, and of whether more may come
        self._waiting: deque[_Call] = deque()
        self._shut = False
        self._tasks: dict[Future[Any], asyncio.Task[None]] = {}  # the loop's thread alone
        self._loop = asyncio.new_event_loop()
        self._ended = self._loop.create_future()
        self._thread = threading.Thread(target=self._run, name="milepost-coroutines", daemon=True)
        self._thread.start()

    @overload
    def submit(
        self, fn: Callable[_P, Coroutine[Any, Any, _T]], /, *args: _P.args, **kwargs: _P.kwargs
    ) -> Future[_T]: ...

    @overload
    def submit(
        self, fn: Callable[_P, _T], /, *args: _P.args, **kwargs: _P.kwargs
    ) -> Future[_T]: ...

    def submit(self, fn: Callable[_P, Any], /, *args: _P.args, **kwargs: _P.kwargs) -> Future[Any]:
        """A future of what `fn` gives, awaited if it gives a coroutine; see Executor.

        A future can be cancelled until its turn has come; then `abandon` stops it.

        Args:
            fn: A coroutine function, or another.
            *args: Its arguments.
            **kwargs: Its keyword arguments.
        """
        if self._here is not here():
            raise RuntimeError("the executor is another process's, of which this one is a fork")
        call = _Call(Future(), lambda: fn(*args, **kwargs))
        with self._lock:
            if self._shut:
                raise RuntimeError("the executor has been shut down: no more can be submitted")
            self._waiting.append(call)
            self._loop.call_soon_threadsafe(self._begin)
        return call.future

    def abandon(self, future: Future[Any]) -> None:
        """Have no more of `future`: if its coroutine is under way it is cancelled, for another."""
        if self._here is not here() or future.cancel():
            return
        with suppress(RuntimeError):  # the loop has ended, and every coroutine with it
            self._loop.call_soon_threadsafe(self._cancel, future)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:  # noqa: FBT001 as in Executor
        """Take no more calls, and end once all that were submitted are done. See Executor.

        Args:
            wait: Return only then.
            cancel_futures: Do not begin calls that have not begun.
        """
        if self._here is not here():
            return
        dropped: list[_Call] = []
        with self._lock:
            self._shut = True
            if cancel_futures:
                dropped, self._waiting = list(self._waiting), deque()
            with suppress(RuntimeError):  # it has ended already
                self._loop.call_soon_threadsafe(self._begin)
        for call in dropped:
            call.future.cancel()
        if wait:
            self._thread.join()

    def _run(self) -> None:
        from asyncio import Runner  # noqa: PLC0415 as above

        with Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._until_ended())

    async def _until_ended(self) -> None:
        await self._ended

    def _begin(self) -> None:
        """Begin what waits, as far as there is room; end the loop when nothing is left to come."""
        while len(self._tasks) < self._max_workers:
            with self._lock:
                if not self._waiting:
                    break
                call = self._waiting.popleft()
            if call.future.set_running_or_notify_cancel():
                self._tasks[call.future] = self._loop.create_task(self._work(call))
        with self._lock:
            idle = self._shut and not self._waiting and not self._tasks
        if idle and not self._ended.done():
            self._ended.set_result(None)

    async def _work(self, call: _Call) -> None:
        error: BaseException | None = None
        given: Any = None
        try:
            given = call.begin()
            if isawaitable(given):
                given = await given
        except BaseException as raised:  # noqa: BLE001 as other executors do: whoever waits is told
            error = raised
        del self._tasks[call.future]
        if error is None:
            call.future.set_result(given)
        else:
            call.future.set_exception(error)
        self._begin()

    def _cancel(self, future: Future[Any]) -> None:
        task = self._tasks.get(future)
        if task is not None:
            task.cancel()
