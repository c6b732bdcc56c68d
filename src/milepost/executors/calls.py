"""The calls that an engine is working on: handed out, waited for, given up."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from concurrent.futures import BrokenExecutor, Executor, Future
from functools import partial
from itertools import islice, repeat
from typing import Any, Final, NamedTuple, Protocol, TypeAlias

from milepost import arguments
from milepost.executors.arrivals import Arrivals
from milepost.executors.endings import Ended, failed, given, out_of_time
from milepost.executors.endings import lost as worker_lost
from milepost.executors.engines.find import engine_of, known
from milepost.executors.engines.probe import Waited, probe
from milepost.executors.engines.protocol import TOKENS, Engine, Lost, Notes
from milepost.executors.fitness import gives_instead, misfit
from milepost.executors.piecemeal import Piecemeal
from milepost.executors.vocabulary import Left
from milepost.worker.attempts import MapFn, Terms, attempt_awaited, attempts
from milepost.worker.chunks import Chunk, Told
from milepost.worker.items import WorkItem
from milepost.worker.outcomes import Timed, Unfit

__all__ = ["Calls", "ExecutorSource"]


class _Submits(Protocol):
    """What calls can be given to: a client of Dask, or another's executor that is no `Executor`."""

    @property
    def submit(self) -> Callable[..., Any]:
        """Gives a call out. Any: each engine has options and futures of its own."""
        ...


ExecutorSource: TypeAlias = Executor | Engine | _Submits | Callable[[], object]
"""An executor of the caller's, or what makes one: the run then owns it and may make another."""


_GATHER_S: Final = 0.02

_Future: TypeAlias = Future[Timed] | Future[list[Timed]]
_Arrival: TypeAlias = _Future | Told


class _Call(NamedTuple):
    """A call of the engine. When it began is not known as long as it waits there for others.

    Of several items in a `chunk` each is heard of as it ends.
    """

    ordinals: tuple[int, ...]
    begun_at_s: float | None
    chunk: Chunk | None = None


class Calls:
    """The calls of the functions for items that are under way on an engine.

    Used from one thread; workers only ever touch the queue of futures that have ended. A call
    that was given up still holds its worker, so it counts as `busy` until it really ends, or the
    engine has stopped it.
    """

    def __init__(
        self,
        source: ExecutorSource,
        functions: Collection[MapFn],
        *,
        workers: int | None,
        timeout_s: float | None,
        clock: Callable[[], float],
        terms: Terms,
    ) -> None:
        self._source = source
        self._functions = tuple(functions)
        self._workers = workers
        self._timeout_s = timeout_s
        self._clock = clock
        self._terms = terms
        self._arrivals: Arrivals[_Arrival] = Arrivals()
        self._piecemeal = Piecemeal(self._arrivals.put)
        self._leaving = False
        self._calls: dict[_Future, _Call] = {}
        self._ordinals: set[int] = set()
        self._given_up: set[_Future] = set()
        self.unfit: Unfit | None = None
        self._refused: set[_Future] = set()
        self._sent: dict[tuple[int, bool], Callable[..., Any]] = {}
        self._run = uuid.uuid4().hex
        self._count = 0
        self._owned = not known(source)
        self._engine = self._made()
        self.broken: BaseException | None = None
        try:
            for function in functions:
                _check_fit(self._engine, function, terms)
            if workers is None and functions and self._engine.slots() is None:
                arguments.refuse("workers", workers, _wanted_of(self._engine))
        except (TypeError, ValueError):
            self.close()
            raise

    def slots(self) -> int:
        """How many calls run at once now: as the run was told, or as the engine says."""
        return self._workers or self._engine.slots() or 1

    @property
    def ordinals(self) -> AbstractSet[int]:
        """The items whose calls are waited for."""
        return self._ordinals

    @property
    def busy(self) -> int:
        """How many items the engine has whose calls have not ended, those given up among them."""
        return len(self._ordinals) + len(self._given_up)

    @property
    def notes(self) -> Notes:
        """Where the engine's workers are, for notes."""
        return self._engine.notes

    @property
    def together(self) -> bool:
        """True if several items may go to the engine in one call.

        Not where they are called at the same time, or where each has its own time.
        """
        return self._timeout_s is None and not self._engine.awaits

    @property
    def tells(self) -> bool:
        """True if each item of a call is heard of as it ends: its worker shares our memory."""
        return self._engine.notes == "here"

    @property
    def ahead(self) -> bool:
        """True if more calls may wait at the engine than it makes at a time.

        Not where each has its own time, and it is not known which of them have begun.
        """
        return self._timeout_s is None or self._engine.in_order

    def begin(
        self, function: MapFn, items: Mapping[int, WorkItem], *, typed: bool, most: int = 1
    ) -> None:
        """Have workers call `function` for items, by their ordinals, up to `most` in one call.

        Several where they may go `together`, one after the other. An engine that takes no more
        counts as broken.
        """
        begun_at_s = None if self._engine.in_order else self._clock()
        sent = self._sendable(function, typed=typed)
        self._ordinals.update(items)
        each = self._submitted_each(sent, list(items.values()))
        if each is not None:
            calls = map(_Call, zip(items), repeat(begun_at_s))
            self._calls.update(zip(each, calls, strict=True))
            return
        left = iter(items.items())
        while part := dict(islice(left, most)):
            ordinals = tuple(part)
            chunk = None
            given: WorkItem | list[WorkItem] | Chunk = list(part.values())
            if self._engine.awaits:
                given = part[ordinals[0]]
            elif len(part) > 1 and self.tells:
                given = chunk = self._piecemeal.begin(part)
            future = self._submitted(sent, given)
            self._calls[future] = _Call(ordinals, begun_at_s, chunk)
            future.add_done_callback(self._arrivals.put)

    def _submitted_each(
        self, sent: Callable[..., Any], every: list[WorkItem]
    ) -> Sequence[_Future] | None:
        """The futures of a call for each, from an engine that takes them in one go; None if not."""
        if not self._engine.awaits:
            return None
        try:
            put = self._arrivals.put
            return self._engine.submit_each(sent, every, ended=put, timeout_s=self._timeout_s)
        except RuntimeError:  # it says so of each, too
            return None

    def _submitted(
        self, sent: Callable[..., Any], given: WorkItem | list[WorkItem] | Chunk
    ) -> _Future:
        self._count += 1
        token = f"{TOKENS}{self._run}-{self._count}"
        try:
            return self._engine.submit(sent, given, token=token, timeout_s=self._timeout_s)
        except (RuntimeError, OSError) as error:  # broken just now, or shut down
            future: _Future = Future()
            future.set_exception(BrokenExecutor(str(error)))
            self._refused.add(future)
            return future

    def probe(self, within_s: float) -> None:
        """Have a worker say that it can be sent the functions, where workers are elsewhere.

        Raises TypeError and EngineUnfit. To be called before the first call is begun; a `wake` ends
        it.
        """
        if self._engine.notes == "here" or not self._functions:
            return
        self.broken = probe(
            self._engine,
            (*self._functions, self._terms),
            token=f"{TOKENS}{self._run}",
            within_s=within_s,
            wait=self._probed,
        )

    def _probed(self, future: Future[Any], longest_s: float) -> Waited:
        future.add_done_callback(self._arrivals.put)
        end_at_s = time.monotonic() + longest_s
        while not future.done():
            left_s = end_at_s - time.monotonic()
            if left_s <= 0:
                return "late"
            if not self._arrivals.take(left_s) and time.monotonic() < end_at_s:
                return "woken"
        return "done"

    def wake(self) -> None:
        """Make `wait` return; safe in a signal handler."""
        self._arrivals.wake()

    def wait(self, longest_s: float, enough: int = 1) -> list[Ended]:
        """How the calls ended that have since the last look, waiting for the first of them.

        Returns with none after `longest_s`, and after a `wake`. Where the calls of `enough` items
        are wanted, it waits for so many for 20 ms, and no longer.
        """
        ended: list[Ended] = []
        if self._timeout_s is not None:
            begun_at_s = [began_s for _, _, began_s in self._making()]
            if begun_at_s:
                due_s = min(begun_at_s) + self._timeout_s
                longest_s = min(longest_s, due_s - self._clock())
        patience_s = self._piecemeal.patience_s(leaving=self._leaving)
        if patience_s is not None:
            longest_s = min(longest_s, patience_s)
        count = max(len(self._ordinals), 1)
        if self.tells:  # of each item, and when a call of several begins and ends
            enough += enough * 2 * self._piecemeal.call_count // count
        else:
            enough = enough * len(self._calls) // count
        self._take(self._arrivals.take(max(longest_s, 0), enough, _GATHER_S), ended)
        return ended + self._overdue() + self._held_up()

    def _take(self, arrived: Sequence[_Arrival], ended: list[Ended]) -> None:
        """Add to `ended` how items did of which workers have told, and those whose call is over."""
        told: list[Told] = []
        for one in arrived:
            if isinstance(one, tuple):
                told.append(one)
                continue
            if told:  # before it: results are recorded in the order in which they are heard of
                self._hear(told, ended)
                told = []
            self._end(one, ended)
        self._hear(told, ended)

    def _hear(self, told: Iterable[Told], ended: list[Ended]) -> None:
        """Add to `ended` how items did of calls that go on."""
        ordinals, every = self._piecemeal.ended(told)
        self._ordinals.difference_update(ordinals)
        self._given(ordinals, every, ended)

    def _given(self, ordinals: Sequence[int], every: Sequence[Timed], ended: list[Ended]) -> None:
        unfit = given(ordinals, every, ended)
        if unfit is not None:
            self.unfit = unfit

    def _held_up(self) -> list[Ended]:
        """The items that were taken back from a call that is under way, for others to call."""
        ordinals = self._piecemeal.held_up(self._clock(), leaving=self._leaving)
        self._ordinals.difference_update(ordinals)
        return _unharmed(ordinals)

    def take_back(self) -> None:
        """Take back the calls that no worker has begun; `wait` gives them as released."""
        for future in reversed(list(self._calls)):
            self._engine.take_back(future)

    def cancel_waiting(self) -> None:
        """Take back what no worker has begun, within a call too. No call begins again."""
        self._leaving = True
        self.take_back()

    def give_up(self) -> list[Ended]:
        """Wait for no call any more: each is given as released, whatever becomes of it."""
        released = _unharmed(self._ordinals)
        for future, call in self._calls.items():
            self._abandon(future, call)
        self._calls.clear()
        self._ordinals.clear()
        return released

    def replace_broken(self) -> bool:
        """Make a fresh engine in place of the one that broke; False where the caller owns it."""
        if not self._owned:
            return False
        self._engine.close(wait=False)
        self._engine = self._made()
        self._given_up.clear()
        self.broken = None
        return True

    def close(self) -> None:
        """Close what was made here; a call that goes on is not waited for."""
        self.cancel_waiting()
        for future, call in self._calls.items():
            self._abandon(future, call)
        if self._engine is not self._source:
            self._engine.close(wait=not self.busy)

    def _made(self) -> Engine:
        if not self._owned:
            return engine_of(self._source, owned=False)
        arguments.calls("executor", self._source, "an executor, or something that makes one,")
        assert callable(self._source), "it was just looked at"
        return engine_of(self._source(), owned=True)

    def _sendable(self, function: MapFn, *, typed: bool) -> Callable[..., Any]:
        """What is called on workers: one object for all items, so that an engine may keep it."""
        key = id(function), typed  # by what it is: it need not be hashable
        if key not in self._sent:
            wrapped: Any = attempt_awaited if self._engine.awaits else attempts
            self._sent[key] = partial(wrapped, function, terms=self._terms, typed=typed)
        return self._sent[key]

    def _abandon(self, future: _Future, call: _Call) -> None:
        """Wait no more for a call that is under way, and have no more of its items called."""
        begun = call.ordinals
        if call.chunk is not None:
            begun, _ = self._piecemeal.over(call.chunk)
        if not self._engine.stop(future) and begun:
            self._given_up.add(future)

    def _end(self, future: _Future, ended: list[Ended]) -> None:
        """Add to `ended` how the items of a call did, if it is waited for."""
        call = self._calls.pop(future, None)
        if call is None:
            self._given_up.discard(future)
            return
        begun = call.ordinals
        if call.chunk is not None:
            begun, waiting = self._piecemeal.over(call.chunk)
            if waiting:
                self._ordinals.difference_update(waiting)
                ended.extend(_unharmed(waiting))
        self._ordinals.difference_update(begun)
        if future.cancelled():
            ended.extend(_unharmed(begun))
            return
        error = future.exception()
        if error is not None:
            ended.extend(self._not_given(future, begun, error))
            return
        result = future.result()
        if begun:
            self._given(begun, result if isinstance(result, list) else (result,), ended)

    def _not_given(
        self, future: _Future, ordinals: tuple[int, ...], error: BaseException
    ) -> Iterable[Ended]:
        """How the items of a call ended that has raised, or whose worker was lost."""
        lost = self._engine.lost(error)
        if lost is None:
            return failed(ordinals, error)
        if lost is Lost.ENGINE:
            self.broken = error
        begun = future not in self._refused and self._engine.begun(future)
        self._refused.discard(future)
        if begun:
            return worker_lost(ordinals, error)
        return _unharmed(ordinals)

    def _making(self) -> list[tuple[_Future, _Call, float]]:
        """The calls that the engine makes now, as far as that is known, and since when.

        Of an engine that begins them in order those that come first, beside the calls that were
        given up and hold their workers still: their time begins to run when it is seen here.
        """
        now_s = self._clock()
        most: int | None = None
        if self._engine.in_order:
            most = max((self._engine.slots() or self.slots()) - len(self._given_up), 0)
        found: list[tuple[_Future, _Call, float]] = []
        for future, call in islice(self._calls.items(), most):
            begun_at_s = call.begun_at_s
            if begun_at_s is None:
                begun_at_s = now_s
                self._calls[future] = call._replace(begun_at_s=now_s)
            found.append((future, call, begun_at_s))
        return found

    def _overdue(self) -> list[Ended]:
        """The calls that took too long; for one that had not begun, time begins to run now."""
        if self._timeout_s is None:
            return []
        now_s = self._clock()
        ended: list[Ended] = []
        for future, call, begun_at_s in self._making():
            if now_s - begun_at_s < self._timeout_s or future.done():
                continue
            if self._engine.begun(future):
                del self._calls[future]
                self._ordinals.difference_update(call.ordinals)
                self._abandon(future, call)
                ended += [out_of_time(ordinal, self._timeout_s) for ordinal in call.ordinals]
            else:
                self._calls[future] = call._replace(begun_at_s=now_s)
        return ended


def _unharmed(ordinals: Iterable[int]) -> list[Ended]:
    return [Ended(ordinal, Left.UNHARMED) for ordinal in ordinals]


def _check_fit(engine: Engine, map_fn: MapFn, terms: Terms) -> None:
    """Raise TypeError if `engine` cannot call `map_fn`: better here than once for every item."""
    unfit = misfit(map_fn, awaits=engine.awaits, executor=engine.name)
    if unfit:
        raise TypeError(unfit)
    for name, asked in (("errors", terms.rules.ask), ("encode", terms.encode)):
        if gives := gives_instead(asked):
            raise TypeError(f"{name} gives {gives}, which nobody awaits: give a plain function")
    for name, sent in (("map_fn", map_fn), ("errors", terms.rules), ("encode", terms.encode)):
        engine.check(name, sent)


def _wanted_of(engine: Engine) -> str:
    return (
        f"how many calls {engine.name} runs at once, since it does not say: give workers=, or give"
        " the executor a method slots(), or register an engine for it"
        " (milepost.executors.engines.register)"
    )
