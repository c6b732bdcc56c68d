"""A life: one process that takes a job up, until the job has ended or the process has died.

What a life cannot take back (commits, calls, what was acknowledged) is in its World,
which the lives of one trial share.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Final, Literal, NamedTuple, TypeAlias, TypeVar

from milepost.items.inputs import Item
from milepost.job.state import JobState
from milepost.machine import Lifecycle
from milepost.state.manager import StateManager
from milepost.stores.protocol import StateStore
from milepost.testing.clock import FakeClock
from milepost.testing.deaths.inline import Inline
from milepost.testing.deaths.judging import (
    Record,
    again,
    broken,
    finished_in,
    found_acknowledged,
    found_finished,
)
from milepost.testing.histories.operations import ACKNOWLEDGED, Append, entries_of
from milepost.testing.watching import TakenBack, Transaction, WatchedStore

__all__ = ["Death", "Died", "Endless", "Life", "When", "World"]

_T = TypeVar("_T")

When: TypeAlias = Literal["before", "after", "undone"]


class Death(NamedTuple):
    """At which commit of its own a life dies, from 1 on: before it is made, or `after`.

    A life that dies after a commit was not told that it is made. `undone` is no death but a broken
    promise: the commit is acknowledged and gone, and the life dies at its next one.
    """

    write: int
    when: When


class Died(BaseException):
    """The process is gone. No code but the harness may handle this."""


class Endless(BaseException):
    """A life makes more commits than can be gone through one by one, or looks and makes none.

    `of_a_job` is what that says of each job, before what happened to it last.
    """

    def __init__(self, said: str, of_a_job: str) -> None:
        self.of_a_job = of_a_job
        super().__init__(said)


_MOST_WRITES: Final = 5_000
"""So many commits of one life: with each of them, a run is made four times."""


_MOST_READS: Final = 100_000
"""So many looks at the store without a commit: nobody else is there who could change it."""


@dataclass
class World:
    """What no death takes back. One store, one clock, and all that was seen of the lives so far."""

    store: StateStore
    lifecycle: Lifecycle | None = None
    clock: FakeClock = field(default_factory=FakeClock)
    lives: int = 0
    calls: Counter[str] = field(default_factory=Counter)
    points: Counter[str] = field(default_factory=Counter)
    record: Record = field(default_factory=Record)

    def manager(self) -> StateManager:
        """A manager that looks at the store itself."""
        return StateManager(self.store, clock=self.clock, lifecycle=self.lifecycle)

    def complaints(self) -> Iterator[str]:
        """What does not hold once a life has come to its end: sentences."""
        return broken(self.record, self.manager(), self.store, ended=True)


class Life:
    """One process, with all that it needs to run jobs so that it may die.

    `number` counts the lives of one trial from 1. `store` is the store, `manager` a manager of it,
    and `clock` the clock of both: it stands still, but that the leases of lives that died have run
    out when the next begins. `executor` calls at once: `workers=1` and `ahead=0` in `run` make each
    run make the same commits. `calls` counts, by name, what `called` was given in this life and
    those before.
    """

    def __init__(self, world: World, death: Death | None = None) -> None:
        self._world = world
        self._looking = world.manager()
        world.lives += 1
        self.number = world.lives
        _let_leases_run_out(world.clock, self._looking)
        self._mortal = _Mortal(world, death)
        self.clock = world.clock
        self.calls = world.calls
        self.executor = Inline()
        self.store: StateStore = WatchedStore(world.store, self._mortal)
        self.manager = StateManager(self.store, clock=self.clock, lifecycle=world.lifecycle)

    @property
    def writes(self) -> int:
        """How many commits this life has decided so far."""
        return self._mortal.writes

    @property
    def died(self) -> bool:
        """True once its process is gone, and nothing that it does is done any more."""
        return self._mortal.dead

    def called(self, name: str, *, recorded: bool = True) -> int:
        """Note that an item, by its key, or a step, as PHASE/STEP, is worked on.

        A call for what is recorded as finished by then is one too many, and so is one for what was
        acknowledged before, though somebody has taken it back since. Until it is recorded, it may
        be made again, in this life or another.

        Args:
            name: Of an item of a job, or of a step that is recorded sooner or later.
            recorded: False for any other name, which is counted, and held to nothing.

        Returns:
            How often it was, in this life and those before, this time included.
        """
        self.calls[name] += 1
        if recorded:
            record = self._world.record
            record.called.add(name)
            done = found_finished(self._looking, name) or found_acknowledged(
                record, self._looking, name
            )
            if done:
                record.known.add(name)
                record.again.append(again(done, f"life {self.number}"))
        return self.calls[name]

    def watched(self, fn: Callable[[Item], _T]) -> Callable[[Item], _T]:
        """The function `fn` of an item, which notes each of its calls."""

        def call(item: Item) -> _T:
            self.called(item.key)
            return fn(item)

        return call

    def acknowledge(self, state: JobState) -> None:
        """Note what a run says is done: give this to `run` as `on_progress`."""
        self._world.record.acknowledged.setdefault(state.id, set()).update(finished_in(state))


def _let_leases_run_out(clock: FakeClock, manager: StateManager) -> None:
    """Let pass what is left of the leases of those who died, so that nobody waits for them."""
    holders = map(manager.holder, manager.job_ids())
    clock.advance(max((holder.left_s for holder in holders if holder is not None), default=0))


class _Mortal:
    """The watch of a store that ends a life at its death."""

    def __init__(self, world: World, death: Death | None) -> None:
        self._world = world
        self._death = death
        self._number = world.lives
        self.dead = False
        self._lost = False
        self._asked_ns = 0
        self._reads = 0
        self.writes = 0

    def reads(self) -> None:
        """The store is about to be read: a life that has died does not."""
        if self.dead:
            raise Died
        self._reads += 1
        if self._reads > _MOST_READS:
            raise Endless(
                f"a life looked at its store {_MOST_READS:,} times without a commit, and waits for"
                " what does not come, as nobody else is there",
                "is where it was",
            )

    def read(self, seen: tuple[tuple[int, int, bytes], ...]) -> None:
        """It was read."""

    def begins(self) -> None:
        """A commit is about to be decided: die, if what it would rest on is lost."""
        if self.dead or self._lost:
            self._die()
        self._asked_ns = time.monotonic_ns()

    def commits(self, made: Transaction) -> None:
        self.writes = made.number
        self._reads = 0
        if self.writes > _MOST_WRITES:
            raise Endless(
                f"a life made {_MOST_WRITES:,} commits and came to no end",
                "goes in circles, or does too much at once",
            )
        if self._death == (made.number, "undone"):
            self._lost = True
            self._acknowledge(made)
            raise TakenBack
        if self._death == (made.number, "before"):
            self._die()

    def committed(self, made: Transaction) -> None:
        self._world.points.update(made.points)
        if self._death == (made.number, "after"):
            self._die()
        self._acknowledge(made)

    def failed(self, made: Transaction | None, error: BaseException) -> None:
        """A commit was not made."""

    def _acknowledge(self, made: Transaction) -> None:
        if made.rows:
            actor, entries = f"life {self._number}", entries_of(made)
            now_ns = time.monotonic_ns()
            append = Append(actor, self._asked_ns, now_ns, ACKNOWLEDGED, entries)
            self._world.record.appends.append(append)

    def _die(self) -> None:
        self.dead = True
        raise Died
