"""A life: one process that takes a job up, until the job has ended or the process has died.

What a life cannot take back (commits acknowledged, calls made, what was told) is in its World,
which the lives of one trial share.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Literal, NamedTuple, TypeAlias, TypeVar

from milepost.errors import RoleAbsent
from milepost.items.inputs import Item
from milepost.job.state import JobState
from milepost.machine import Lifecycle
from milepost.state.manager import StateManager
from milepost.stores.protocol import StateStore
from milepost.testing.clock import FakeClock
from milepost.testing.deaths.inline import Inline
from milepost.testing.watching import TakenBack, Transaction, WatchedStore

__all__ = ["Death", "Died", "Life", "When", "World", "let_go"]

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


@dataclass
class World:
    """What no death takes back. One store, one clock, and all that was seen of the lives so far."""

    store: StateStore
    lifecycle: Lifecycle | None = None
    clock: FakeClock = field(default_factory=FakeClock)
    lives: int = 0
    calls: Counter[str] = field(default_factory=Counter)
    points: Counter[str] = field(default_factory=Counter)
    acknowledged: dict[tuple[int, int], bytes] = field(default_factory=dict)
    about: dict[tuple[int, int], tuple[str, ...]] = field(default_factory=dict)
    told: dict[str, set[str]] = field(default_factory=dict)
    again: list[str] = field(default_factory=list)

    def manager(self) -> StateManager:
        """A manager that looks at the store itself."""
        return StateManager(self.store, clock=self.clock, lifecycle=self.lifecycle)

    def finished(self) -> set[str]:
        """The items whose result is recorded and the steps whose output is, of all jobs."""
        manager = self.manager()
        return {
            name for job_id in manager.job_ids() for name in _finished(manager.get_state(job_id))
        }

    def complaints(self) -> Iterator[str]:
        """What does not hold once a life has come to its end. Each is a sentence."""
        manager = self.manager()
        jobs = manager.job_ids()
        if not jobs:
            yield "there is no job"
        for job_id in jobs:
            state = manager.get_state(job_id)
            if not state.finished:
                yield f"job {job_id} has not ended: it is in phase {state.phase}"
            if not let_go(manager, job_id):
                yield f"job {job_id} is still held, by {state.owner}"
            missing = self.told.get(job_id, set()) - _finished(state)
            if missing:
                yield f"{_listed(missing)} was told to be done, and is not, in job {job_id}"
            (verified,) = manager.verify(job_id)
            yield from (f"job {job_id} is not sound: {p.message}" for p in verified.problems)
        yield from self._lost()
        yield from self.again

    def _lost(self) -> Iterator[str]:
        with self.store.reading() as reader:
            kept = {
                (job.number, row.seq): row.digest
                for job in reader.entries()
                for row in reader.rows(job.number)
            }
        for (job, seq), digest in self.acknowledged.items():
            if kept.get((job, seq)) != digest:
                what = "another is in its place" if (job, seq) in kept else "it is not there"
                about = ", ".join(self.about[job, seq])
                yield f"commit {seq} ({about}) of job number {job} was acknowledged, and {what}"


class Life:
    """One process, with all that it needs to run jobs so that it may die.

    `number` counts the lives of one trial from 1. `store` is the store, `clock` a clock that stands
    still, `manager` a manager of both, and `executor` calls at once: `workers=1` and `ahead=0` in
    `run` make each run make the same commits. `calls` counts, by name, what `called` was told of in
    this life and those before.
    """

    def __init__(self, world: World, death: Death | None = None) -> None:
        self._world = world
        self._durable = world.finished()
        self._mortal = _Mortal(world, death)
        world.lives += 1
        self.number = world.lives
        self.clock = world.clock
        self.calls = world.calls
        self.executor = Inline()
        self.store: StateStore = WatchedStore(world.store, self._mortal)
        self.manager = StateManager(self.store, clock=self.clock, lifecycle=world.lifecycle)

    @property
    def writes(self) -> int:
        """How many commits this life has decided so far."""
        return self._mortal.writes

    def called(self, name: str) -> int:
        """Note that an item, by its key, or a step, as PHASE/STEP, is worked on.

        Returns:
            How often it was, in this life and those before, this time included.
        """
        self.calls[name] += 1
        if name in self._durable:
            self._world.again.append(f"{name} had finished before life {self.number} called it")
        return self.calls[name]

    def watched(self, fn: Callable[[Item], _T]) -> Callable[[Item], _T]:
        """The function `fn` of an item, which notes each of its calls."""

        def call(item: Item) -> _T:
            self.called(item.key)
            return fn(item)

        return call

    def told(self, state: JobState) -> None:
        """Note what a run says is done: give this to `run` as `on_progress`."""
        self._world.told.setdefault(state.id, set()).update(_finished(state))


class _Mortal:
    """The watch of a store that ends a life at its death."""

    def __init__(self, world: World, death: Death | None) -> None:
        self._world = world
        self._death = death
        self._dead = False
        self._lost = False
        self.writes = 0

    def reads(self) -> None:
        """The store is about to be read: a life that has died does not."""
        if self._dead:
            raise Died

    def begins(self) -> None:
        """A commit is about to be decided: die, if what it would rest on is lost."""
        if self._dead or self._lost:
            self._die()

    def commits(self, made: Transaction) -> None:
        self.writes = made.number
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

    def _acknowledge(self, made: Transaction) -> None:
        """What a place in a log was acknowledged with first is what it must hold."""
        for job, row in made.rows:
            self._world.acknowledged.setdefault((job, row.seq), row.digest)
            self._world.about.setdefault((job, row.seq), made.points)

    def _die(self) -> None:
        self._dead = True
        raise Died


def let_go(manager: StateManager, job_id: str) -> bool:
    """True if nobody is named as the holder, or who is died between the end and giving it back.

    A run of a job that has ended writes nothing, so that such a name stays.
    """
    state = manager.get_state(job_id)
    if state.owner is None:
        return True
    *_, last = manager.get_state_history(job_id)
    return state.finished and last.target == state.phase and last.kind != "lease"


def _finished(state: JobState) -> set[str]:
    steps = {name for name in state.variables if "/" in name}
    try:
        return steps | set(state.processed_items)
    except RoleAbsent:
        return steps


def _listed(names: set[str]) -> str:
    return ", ".join(sorted(names))
