"""The calls that an executor is working on: handed out, waited for, given up."""

from __future__ import annotations

import queue
from collections.abc import Callable, Collection
from concurrent.futures import BrokenExecutor, Executor, Future, ProcessPoolExecutor
from concurrent.futures.thread import BrokenThreadPool
from multiprocessing.reduction import ForkingPickler
from typing import NamedTuple, TypeAlias

from milepost.arguments import instance
from milepost.executors.coroutines import CoroutineExecutor
from milepost.executors.fitness import misfit
from milepost.executors.vocabulary import Left
from milepost.worker.attempts import MapFn, Terms, attempt, attempt_awaited
from milepost.worker.failures import failure_of
from milepost.worker.items import WorkItem
from milepost.worker.outcomes import Fault, Given, NotGiven, Outcome, Timed, Unfit

__all__ = ["Calls", "Ended", "ExecutorSource"]

ExecutorSource: TypeAlias = Executor | Callable[[], Executor]
"""An executor of the caller's, or what makes one: the run then owns it and may make another."""


class Ended(NamedTuple):
    """How the call for one item ended: what it gave, why it gave nothing, or how it was left.

    `took_s` is how long it took on its worker, None where that is not known.
    """

    ordinal: int
    outcome: Outcome | Left
    size_bytes: int = 0
    took_s: float | None = None


class _Call(NamedTuple):
    ordinal: int
    begun_at_s: float


class Calls:
    """The calls of the functions for items that are under way on an executor.

    Used from one thread; workers only ever touch the queue of futures that have ended. A call
    that was given up still holds its worker, so it counts as `busy` until it really ends; only a
    coroutine can be made to.
    """

    def __init__(
        self,
        source: ExecutorSource,
        functions: Collection[MapFn],
        *,
        timeout_s: float | None,
        clock: Callable[[], float],
        terms: Terms,
    ) -> None:
        self._source = source
        self._timeout_s = timeout_s
        self._clock = clock
        self._terms = terms
        self._ended: queue.SimpleQueue[Future[Timed] | None] = queue.SimpleQueue()
        self._calls: dict[Future[Timed], _Call] = {}
        self._given_up: set[Future[Timed]] = set()
        self._executor = source if isinstance(source, Executor) else _made(source)
        self.broken: RuntimeError | None = None
        self.unfit: Unfit | None = None
        self._refused: set[Future[Timed]] = set()
        self._lost_count = 0
        try:
            for function in functions:
                _check_fit(self._executor, function, terms)
        except TypeError:
            self.close()
            raise

    @property
    def workers(self) -> int | None:
        """How many calls the executor says it runs at once, None if it does not say."""
        return getattr(self._executor, "_max_workers", None)

    @property
    def ordinals(self) -> set[int]:
        """The items whose calls are waited for."""
        return {call.ordinal for call in self._calls.values()}

    @property
    def busy(self) -> int:
        """How many calls the executor has that have not ended, those given up among them."""
        return len(self._calls) + len(self._given_up)

    def begin(self, ordinal: int, function: MapFn, item: WorkItem, *, typed: bool) -> None:
        """Have a worker call `function`. An executor that takes no more counts as broken."""
        try:
            future = self._submitted(function, item, typed=typed)
        except RuntimeError as error:  # broken, or shut down by its owner
            future = Future()
            future.set_exception(BrokenExecutor(str(error)))
            self._refused.add(future)
        self._calls[future] = _Call(ordinal, self._clock())
        future.add_done_callback(self._ended.put)

    def _submitted(self, function: MapFn, item: WorkItem, *, typed: bool) -> Future[Timed]:
        if isinstance(self._executor, CoroutineExecutor):
            return self._executor.submit(attempt_awaited, function, item, self._terms, typed=typed)
        return self._executor.submit(attempt, function, item, self._terms, typed=typed)

    def wake(self) -> None:
        """Make `wait` return; safe in a signal handler."""
        self._ended.put(None)

    def wait(self, longest_s: float) -> list[Ended]:
        """The calls that ended since the last look, waiting for the first of them.

        Returns with none after `longest_s`, and after a `wake`.
        """
        ended: list[Ended] = []
        if self._timeout_s is not None and self._calls:
            due = min(call.begun_at_s for call in self._calls.values()) + self._timeout_s
            longest_s = min(longest_s, due - self._clock())
        try:
            future = self._ended.get(timeout=max(longest_s, 0))
            while True:
                ended.extend(self._end(future))
                future = self._ended.get_nowait()
        except queue.Empty:
            return ended + self._overdue()

    def cancel_waiting(self) -> None:
        """Take back the calls that no worker has begun; `wait` gives them as released."""
        for future in list(self._calls):
            future.cancel()

    def give_up(self) -> list[Ended]:
        """Wait for no call any more: each is given as released, whatever becomes of it."""
        released = [Ended(call.ordinal, Left.UNHARMED) for call in self._calls.values()]
        for future in self._calls:
            self._abandon(future)
        self._calls.clear()
        return released

    def replace_broken(self) -> bool:
        """Make a fresh executor in place of the one that broke; False where the caller owns it."""
        if isinstance(self._source, Executor):
            return False
        self._executor.shutdown(wait=False, cancel_futures=True)
        self._executor = _made(self._source)
        self._given_up.clear()
        self._lost_count = 0
        self.broken = None
        return True

    def close(self) -> None:
        """Shut down an executor that was made here; a call that goes on is not waited for."""
        self.cancel_waiting()
        if not isinstance(self._source, Executor):
            for future in self._calls:
                self._abandon(future)
            self._executor.shutdown(wait=not self.busy, cancel_futures=True)

    def _abandon(self, future: Future[Timed]) -> None:
        """Wait no more for a call that is under way; a coroutine is cancelled."""
        self._given_up.add(future)
        if isinstance(self._executor, CoroutineExecutor):
            self._executor.abandon(future)

    def _end(self, future: Future[Timed] | None) -> list[Ended]:
        if future is None:
            return []
        call = self._calls.pop(future, None)
        if call is None:
            self._given_up.discard(future)
            return []
        if future.cancelled():
            return [Ended(call.ordinal, Left.UNHARMED)]
        error = future.exception()
        if isinstance(error, BrokenExecutor):
            self.broken = error
            begun = self._had_begun(future, error)
            return [Ended(call.ordinal, Left.LOST if begun else Left.UNHARMED)]
        if error is not None:
            return [_recorded(call.ordinal, failure_of(error))]
        timed = future.result()
        if isinstance(timed.outcome, Unfit):
            self.unfit = timed.outcome
            return [Ended(call.ordinal, Left.UNHARMED)]
        return [_recorded(call.ordinal, timed.outcome, timed.took_s)]

    def _had_begun(self, future: Future[Timed], error: BrokenExecutor) -> bool:
        """True if a worker may have begun the call that was lost when its executor broke.

        A pool begins its calls in the order in which it got them, and each of its workers has one
        at a time; it tells of those that it lost in that order too. A thread pool breaks only
        where a thread could not begin any. Of an executor that says nothing all may have begun.
        """
        if future in self._refused:
            self._refused.discard(future)
            return False
        if isinstance(error, BrokenThreadPool):
            return False
        self._lost_count += 1
        return self.workers is None or self._lost_count <= self.workers

    def _overdue(self) -> list[Ended]:
        if self._timeout_s is None:
            return []
        now_s = self._clock()
        late = [f for f, c in self._calls.items() if now_s - c.begun_at_s >= self._timeout_s]
        ended: list[Ended] = []
        for future in late:
            if future.cancel():
                continue  # it had not begun; its callback has queued it as released
            self._abandon(future)
            message = f"no result within {self._timeout_s:g} s"
            failure = NotGiven(fault=Fault.TIMEOUT, message=message)
            ended.append(_recorded(self._calls.pop(future).ordinal, failure))
        return ended


def _made(source: Callable[[], Executor]) -> Executor:
    """What makes executors has made one. Raises ArgumentInvalid if it is none."""
    return instance("executor", source(), Executor, "something that makes an executor")


def _check_fit(executor: Executor, map_fn: MapFn, terms: Terms) -> None:
    """Raise TypeError if `executor` cannot call `map_fn`: better here than once for every item."""
    awaits = isinstance(executor, CoroutineExecutor)
    unfit = misfit(map_fn, awaits=awaits, executor=type(executor).__name__)
    if unfit:
        raise TypeError(unfit)
    if not isinstance(executor, ProcessPoolExecutor):
        return
    for name, sent in (("map_fn", map_fn), ("errors", terms.rules), ("encode", terms.encode)):
        try:
            ForkingPickler.dumps(sent)
        except Exception as error:  # which it is differs from one Python to the next
            raise TypeError(
                f"{name} cannot be sent to another process ({error}): a function has to be one at"
                " the top of a module, or a partial of one"
            ) from error


def _recorded(ordinal: int, outcome: Outcome, took_s: float | None = None) -> Ended:
    size_bytes = outcome.size_bytes if isinstance(outcome, Given) else 0
    return Ended(ordinal, outcome, size_bytes, took_s)
