"""An executor for coroutines: an event loop in a thread of its own, so many of them at a time."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Coroutine, Iterable
from concurrent.futures import CancelledError, Executor, Future, InvalidStateError
from contextlib import suppress
from enum import Enum, auto
from inspect import isawaitable
from types import CoroutineType
from typing import TYPE_CHECKING, Any, ParamSpec, TypeAlias, TypeVar, overload

from milepost.arguments import integer
from milepost.process.forks import here

if TYPE_CHECKING:
    import asyncio

__all__ = ["CoroutineExecutor", "EachFuture"]

_P = ParamSpec("_P")
_T = TypeVar("_T")


_Call: TypeAlias = tuple[Future[Any], Callable[[Any], Any], Any]
"""What was submitted: the future of what it gives, a function, and its argument."""


class _At(Enum):
    """Where a call is."""

    QUEUED = auto()
    BEGUN = auto()
    CANCELLED = auto()
    ENDED = auto()


class EachFuture(Future[Any]):
    """The future of one of many calls that were submitted in one go.

    A Future has a lock of its own, and whoever waits for it is woken, which costs more than many a
    call. Of this one `ended` is told once it is done, in whatever thread; nobody waits for it.
    """

    __slots__ = ("_at", "_ended", "_error", "_given", "_lock")

    def __init__(self, lock: threading.Lock, ended: Callable[[Future[Any]], object]) -> None:
        self._lock = lock  # of all futures of one executor
        self._ended = ended
        self._at = _At.QUEUED
        self._given: Any = None
        self._error: BaseException | None = None

    def __repr__(self) -> str:
        return f"<EachFuture {self._at.name}>"

    def cancel(self) -> bool:
        """As of Future."""
        with self._lock:
            if self._at is not _At.QUEUED:
                return self._at is _At.CANCELLED
            self._at = _At.CANCELLED
        self._ended(self)
        return True

    def cancelled(self) -> bool:
        """As of Future."""
        return self._at is _At.CANCELLED

    def running(self) -> bool:
        """As of Future."""
        return self._at is _At.BEGUN

    def done(self) -> bool:
        """As of Future."""
        return self._at is _At.ENDED or self._at is _At.CANCELLED

    def result(self, timeout: float | None = None) -> Any:
        """As of Future, once it is done."""
        if self._at is not _At.ENDED or self._error is not None:
            raise self.exception(timeout) or InvalidStateError
        return self._given

    def exception(self, timeout: float | None = None) -> BaseException | None:
        """As of Future, once it is done."""
        del timeout
        if self._at is _At.ENDED:
            return self._error
        if self._at is _At.CANCELLED:
            raise CancelledError
        raise InvalidStateError("it is not done, and nobody can wait for it")

    def add_done_callback(self, fn: Callable[[Future[Any]], object]) -> None:
        """Refused: who is told of the end was said when it was made."""
        raise InvalidStateError(f"{fn!r} comes too late: who is told of the end was said before")

    def set_running_or_notify_cancel(self) -> bool:
        """As of Future."""
        with self._lock:
            if self._at is _At.QUEUED:
                self._at = _At.BEGUN
        return self._at is _At.BEGUN

    def set_result(self, result: Any) -> None:
        """As of Future."""
        self._given = result
        self._at = _At.ENDED
        self._ended(self)

    def set_exception(self, exception: BaseException | None) -> None:
        """As of Future."""
        self._error = exception
        self._at = _At.ENDED
        self._ended(self)


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
        future: Future[Any] = Future()
        self._submit([(future, lambda _: fn(*args, **kwargs), None)])
        return future

    def submit_each(
        self,
        fn: Callable[[Any], Any],
        arguments: Iterable[Any],
        ended: Callable[[Future[Any]], object],
    ) -> list[Future[Any]]:
        """As `submit` of `fn` for each of `arguments`, in one go: the loop is woken once.

        Args:
            fn: A coroutine function, or another.
            arguments: The one argument of each call.
            ended: Is called with each of the futures once it is done, in any thread. Nobody can
                wait for them.
        """
        lock = self._lock
        calls: list[_Call] = [(EachFuture(lock, ended), fn, each) for each in arguments]
        self._submit(calls)
        return [future for future, _, _ in calls]

    def _submit(self, calls: Iterable[_Call]) -> None:
        if self._here is not here():
            raise RuntimeError("the executor is another process's, of which this one is a fork")
        with self._lock:
            if self._shut:
                raise RuntimeError("the executor has been shut down: no more can be submitted")
            self._waiting.extend(calls)
            self._loop.call_soon_threadsafe(self._begin)

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
        for future, _, _ in dropped:
            future.cancel()
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
                future, fn, argument = self._waiting.popleft()
            if future.set_running_or_notify_cancel():
                self._tasks[future] = self._loop.create_task(self._work(future, fn, argument))
        if not self._shut:  # once it is, this is called again
            return
        with self._lock:
            idle = not self._waiting and not self._tasks
        if idle and not self._ended.done():
            self._ended.set_result(None)

    async def _work(self, future: Future[Any], fn: Callable[[Any], Any], argument: Any) -> None:
        error: BaseException | None = None
        given: Any = None
        try:
            given = fn(argument)
            if type(given) is CoroutineType or isawaitable(given):
                given = await given
        except BaseException as raised:  # noqa: BLE001 as other executors do: whoever waits is told
            error = raised
        del self._tasks[future]
        if error is None:
            future.set_result(given)
        else:
            future.set_exception(error)
        if self._waiting or self._shut:
            self._begin()

    def _cancel(self, future: Future[Any]) -> None:
        task = self._tasks.get(future)
        if task is not None:
            task.cancel()
