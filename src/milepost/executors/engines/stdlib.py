"""Engines of the standard library: pools of threads, processes and interpreters, and executors."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import BrokenExecutor, Executor, Future, ProcessPoolExecutor
from concurrent.futures.thread import BrokenThreadPool
from itertools import islice
from multiprocessing.process import BaseProcess
from multiprocessing.reduction import ForkingPickler
from typing import Any, TypeVar

from milepost.executors.engines.protocol import Engine, Notes

__all__ = ["ExecutorEngine", "PoolEngine", "adapt"]

_T = TypeVar("_T")


class ExecutorEngine(Engine):
    """Any `concurrent.futures.Executor`. It says how many workers it has, or nothing is known.

    It may say so by a method `slots()`, which is asked again and again, or as the pools of the
    standard library do. A call counts as begun once it was submitted.
    """

    def __init__(self, executor: Executor, *, owned: bool, notes: Notes = "none") -> None:
        self.name = type(executor).__name__
        self.notes = notes
        self._executor = executor
        self._owned = owned
        self._left: dict[Future[Any], None] = {}  # what has not come back, in order

    def submit(
        self, call: Callable[..., _T], /, *args: Any, token: str, timeout_s: float | None
    ) -> Future[_T]:
        """See Engine."""
        del token, timeout_s
        future = self._executor.submit(call, *args)
        self._left[future] = None
        future.add_done_callback(self._back)
        return future

    def slots(self) -> int | None:
        """See Engine."""
        told = getattr(self._executor, "slots", None)
        found = told() if callable(told) else getattr(self._executor, "_max_workers", None)
        return found if isinstance(found, int) else None

    def begun(self, future: Future[Any]) -> bool:
        """See Engine.

        A pool begins its calls in the order in which it got them, and each of its workers has one
        at a time: of those that were lost with it as many were begun as it has workers. A thread
        pool breaks only where a thread could not begin any.
        """
        if future.cancelled():
            return False
        error = future.exception() if future.done() else None
        if not isinstance(error, BrokenExecutor):
            return True
        if isinstance(error, BrokenThreadPool):
            return False
        workers = self.slots()
        return workers is None or future in islice(self._left, workers)

    def close(self, *, wait: bool) -> None:
        """See Engine; an executor of the caller's stays open."""
        if self._owned:
            self._shut(wait=wait)

    def _shut(self, *, wait: bool) -> None:
        self._executor.shutdown(wait=wait, cancel_futures=True)

    def _back(self, future: Future[Any]) -> None:
        """A call has ended, and was not lost. Called by whatever thread."""
        if future.cancelled() or not isinstance(future.exception(), BrokenExecutor):
            self._left.pop(future, None)


class PoolEngine(ExecutorEngine):
    """A pool of the standard library, whose futures say whether a worker has begun a call."""

    in_order = True

    def begun(self, future: Future[Any]) -> bool:
        """See Engine."""
        if future.done():
            return super().begun(future)
        return future.running()


class ProcessEngine(PoolEngine):
    """A process pool of the standard library."""

    def __init__(self, pool: ProcessPoolExecutor, *, owned: bool) -> None:
        super().__init__(pool, owned=owned, notes="host")
        self._pool = pool

    def _shut(self, *, wait: bool) -> None:
        """End the pool, and its workers where what they do is not waited for.

        Else this process, as it ends, waits for the calls that nobody wants any more.
        """
        workers: Mapping[int, BaseProcess] = getattr(self._pool, "_processes", None) or {}
        left = [] if wait else list(workers.values())  # the pool forgets them
        super()._shut(wait=wait)
        for worker in left:
            worker.terminate()

    def check(self, name: str, sent: object) -> None:
        """See Engine."""
        try:
            ForkingPickler.dumps(sent)
        except Exception as error:  # which it is differs from one Python to the next
            raise TypeError(
                f"{name} cannot be sent to another process ({error}): a function has to be one at"
                " the top of a module, or a partial of one"
            ) from error


def adapt(given: Executor, *, owned: bool) -> Engine:
    """The engine that makes its calls on a pool of the standard library."""
    if isinstance(given, ProcessPoolExecutor):
        return ProcessEngine(given, owned=owned)
    return PoolEngine(given, owned=owned, notes="here")
