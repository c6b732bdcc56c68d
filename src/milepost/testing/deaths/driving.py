"""A life as a process of its own, that kills itself or stands still at a commit it was told.

The commit is met by what it is about, so that any executor may run the calls: threads, processes,
coroutines, an engine. What the process was promised goes into a journal.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from functools import cached_property
from importlib import import_module
from typing import Generic, Literal, NamedTuple, TypeAlias, TypeVar

from milepost.errors import LeaseHeld, LeaseLost
from milepost.items.inputs import Item
from milepost.job.state import JobState
from milepost.machine import Lifecycle
from milepost.state.manager import StateManager
from milepost.stores.opening import open_store
from milepost.stores.protocol import StateStore
from milepost.testing.deaths.judging import finished_in
from milepost.testing.deaths.nursery import STOPS, Tell
from milepost.testing.histories.recording import Recorder
from milepost.testing.journal import journal_at
from milepost.testing.watching import TakenBack, Transaction, WatchedStore

__all__ = ["Driver", "Order", "Place", "drive"]

_T = TypeVar("_T")

Place: TypeAlias = tuple[Literal["before", "after", "undone"], str]
"""Before or after a commit about that: `("before", "items succeed")`.

`undone` is a broken promise: the commit is acknowledged and gone, and so is the process.
"""


class Driver:
    """One process that drives jobs, and may be killed. `live` is called with it, in that process.

    `number` counts the processes of one trial from 1, `url` says where the store is. `store` is
    that store, watched, and `manager` a manager of it.
    """

    def __init__(self, order: Order, store: StateStore, tell: Tell) -> None:
        self._order = order
        self._told: set[tuple[str, str]] = set()
        self.number = order.number
        self.url = order.url
        self.store = store
        self.tell = tell

    @cached_property
    def manager(self) -> StateManager:
        """A manager of the store, of the lifecycle that the harness was given."""
        lifecycle: Lifecycle | None = None
        if self._order.lifecycle:
            lifecycle = import_module(self._order.lifecycle).LIFECYCLE
        return StateManager(self.store, lifecycle=lifecycle)

    def called(self, name: str, *, recorded: bool = True) -> int:
        """Note that an item, by its key, or a step, as PHASE/STEP, is worked on.

        A call is one too many if what it is for was finished when this process began, or has been
        acknowledged since. Until it is recorded, it may be made again.

        Args:
            name: Of an item of a job, or of a step that is recorded sooner or later.
            recorded: False for any other name, which is counted, and held to nothing.

        Returns:
            How often it was, in this process and those before, this time included.
        """
        journal = journal_at(self._order.journal)
        return journal.called(name, self.number, recorded=recorded)

    def watched(self, fn: Callable[[Item], _T]) -> Callable[[Item], _T]:
        """The function `fn` of an item, which notes each of its calls, in whichever process."""
        return _Watched(fn, self._order.journal, self.number)

    def acknowledge(self, state: JobState) -> None:
        """Note what a run says is done: give this to `run` as `on_progress`."""
        fresh = {(state.id, name) for name in finished_in(state)} - self._told
        if fresh:
            self._told |= fresh
            names = sorted(name for _, name in fresh)
            journal_at(self._order.journal).write("acknowledged", state.id, names)


Live: TypeAlias = Callable[[Driver], object]


class Order(NamedTuple):
    """What a process is to do, and where it is to die, or to stand still if it `stalls`.

    `lifecycle` is the module that has it; empty is the one that
    is built in.
    """

    live: Live
    url: str
    journal: str
    number: int
    due: frozenset[Place] = frozenset()
    stalls: bool = False
    lifecycle: str = ""


def drive(order: Order, tell: Tell) -> None:
    """Live by `order`. The last thing told is what `live` returned, if that is text, or `end`.

    Of a lease that is held or lost, and of a Ctrl-C, it is the error.
    """
    tell("open")
    store = open_store(order.url)
    doomed = _Doomed(order, tell)
    try:
        said = order.live(Driver(order, WatchedStore(store, doomed, alone=True), tell))
    except (LeaseHeld, LeaseLost, KeyboardInterrupt) as error:
        said = f"{type(error).__name__}: {error}"
    doomed.begins()
    store.close()
    tell(said if isinstance(said, str) else "end")


class _Watched(Generic[_T]):
    """A function that notes its calls. It can be pickled if the function can."""

    def __init__(self, fn: Callable[[Item], _T], journal: str, number: int) -> None:
        self._fn = fn
        self._journal = journal
        self._number = number

    def __call__(self, item: Item) -> _T:
        journal_at(self._journal).called(item.key, self._number)
        return self._fn(item)


class _Doomed:
    """The watch of a store that ends its process where the order says so."""

    def __init__(self, order: Order, tell: Tell) -> None:
        self._order = order
        self._due = set(order.due)
        self._tell = tell
        self._journal = journal_at(order.journal)
        self._recorder = Recorder(self._journal, f"process {order.number}")
        self._undone = False

    def reads(self) -> None:
        if self._undone:
            _die()
        self._recorder.reads()

    def read(self, seen: tuple[tuple[int, int, bytes], ...]) -> None:
        self._recorder.read(seen)

    def begins(self) -> None:
        if self._undone:
            _die()
        self._recorder.begins()

    def commits(self, made: Transaction) -> None:
        for point in made.points:
            self._tell(f"before {point}")
        self._recorder.commits(made)
        if self._meets("undone", made):
            self._undone = True
            self._recorder.committed(made)
            raise TakenBack
        if self._meets("before", made):
            _die()

    def committed(self, made: Transaction) -> None:
        for point in made.points:
            self._tell(f"after {point}")
        self._journal.write("made", made.points)
        if self._meets("after", made):
            if not self._order.stalls:
                _die()
            self._tell(STOPS)
            os.kill(os.getpid(), signal.SIGSTOP)
        self._recorder.committed(made)

    def failed(self, made: Transaction | None, error: BaseException) -> None:
        self._recorder.failed(made, error)

    def _meets(self, when: Literal["before", "after", "undone"], made: Transaction) -> bool:
        met = {place for place in self._due if place[0] == when and place[1] in made.points}
        if met:
            self._due -= met
            self._journal.write("hit", self._order.number, sorted(met))
            if self._order.stalls:
                self._due.clear()
        return bool(met)


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)
    signal.pause()
