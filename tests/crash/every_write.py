"""A job that is run by processes which die at a write of their own choosing, and what must hold.

A life is one process: it opens the store, takes the job up, and goes on until the job has ended
or the process has died. What a life cannot take back (calls made, answers given) is in the World.
"""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

from milepost import CheckpointPolicy, Item, JobState, StateManager
from milepost.executors import Steps, run
from milepost.stores.memory import MemoryStore
from milepost.testing import FakeClock

JOB = "j"
ITEMS = [Item(key=key, value=key) for key in ("a", "b", "c", "d", "fails once")]

When = Literal["before", "after", "lost"]


class Death(NamedTuple):
    """At which write a process dies: before it, or after it is durable and before the answer.

    `lost` is no death but a broken promise: the write is acknowledged and gone, and the process
    dies before its next one.
    """

    write: int
    when: When


class Died(BaseException):
    """The process is gone: nothing of its own takes this for an error that it may handle."""


class Mortal:
    """A store as one process sees it, until that dies."""

    def __init__(self, inner: MemoryStore, death: Death | None) -> None:
        self.inner = inner
        self.death = death
        self.writes = 0
        self.dead = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    @contextmanager
    def reading(self) -> Iterator[Any]:
        self._alive()
        with self.inner.reading() as reader:
            yield reader

    @contextmanager
    def writing(self, *jobs: str) -> Iterator[Any]:
        self._alive()
        self.writes += 1
        now = self.death is not None and self.writes == self.death.write
        when = self.death.when if self.death and now else None
        if self.death and self.death.when == "lost" and self.writes > self.death.write:
            when = "before"
        if when == "before":
            self._die()
        before = self.inner._now
        with self.inner.writing(*jobs) as writer:
            yield writer
        if when == "lost":
            self.inner._now = before
        if when == "after":
            self._die()

    appending = writing

    def _alive(self) -> None:
        if self.dead:
            raise Died

    def _die(self) -> None:
        self.dead = True
        raise Died


def let_go(manager: StateManager, job_id: str) -> bool:
    """True if nobody is named as the holder, or who is died between the end and giving it back.

    A run of a job that has ended writes nothing, so that such a name stays.
    """
    state = manager.get_state(job_id)
    *_, last = manager.get_state_history(job_id)
    ended = state.finished and last.target == state.phase and last.kind in ("job", "checkpoint")
    return state.owner is None or ended


class Inline(Executor):
    """Calls at once, in the calling thread, so that every run makes the same writes."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        future.set_result(fn(*args, **kwargs))
        return future


@dataclass
class World:
    """What no crash takes back: the store, the calls made, the answers given."""

    store: MemoryStore = field(default_factory=MemoryStore)
    clock: FakeClock = field(default_factory=FakeClock)
    calls: Counter[str] = field(default_factory=Counter)
    returned: dict[str, Any] = field(default_factory=dict)
    acknowledged: dict[str, Any] = field(default_factory=dict)
    durable: set[str] = field(default_factory=set)
    wrong: list[str] = field(default_factory=list)

    def fork(self) -> World:
        """The same world, to be gone on with in another way."""
        store = MemoryStore()
        store._now = self.store._now
        return World(
            store,
            self.clock,
            *(copy.deepcopy(each) for each in (self.calls, self.returned, self.acknowledged)),
        )

    def live(self, death: Death | None = None) -> tuple[bool, int]:
        """One life: whether it saw the job end, and how many writes it began."""
        self.durable = self._finished()
        store = Mortal(self.store, death)
        manager = StateManager(store, clock=self.clock)
        try:
            if not manager.job_ids():
                manager.create_job(ITEMS, job_id=JOB, config={"max_attempts": 20})
            run(
                manager,
                JOB,
                self.map_fn,
                self.reduce_fn,
                setup_fn=self.setup_fn,
                executor=Inline(),
                workers=1,
                ahead=0,
                policy=CheckpointPolicy(items=2),
                takeover="its process died",
                on_progress=self.acknowledge,
                owner=f"life {sum(self.calls.values())}",
            )
        except Died:
            return False, store.writes
        return True, store.writes

    def map_fn(self, item: Item) -> list[Any]:
        self._call(item.key)
        if item.value == "fails once" and self.calls[item.key] == 1:
            raise ConnectionError("the first time")
        self.returned[item.key] = [item.key, self.calls[item.key]]
        return list(self.returned[item.key])

    def setup_fn(self, state: JobState, steps: Steps) -> dict[str, object]:
        return {"table": steps.step("table", lambda: self._step("setup/table"))}

    def reduce_fn(self, results: Iterator[tuple[str, Any]], steps: Steps) -> object:
        merged = steps.step("merge", lambda: self._step("reduce/merge", dict(results)))
        return [merged, steps.step("upload", lambda: self._step("reduce/upload"))]

    def acknowledge(self, state: JobState) -> None:
        """What the run was told is durable."""
        done = [*state.processed_items, *(name for name in state.variables if "/" in name)]
        for name in done:
            self.acknowledged.setdefault(name, self.returned[name])

    def check(self) -> None:
        """What must hold once the job has ended. Raises AssertionError."""
        manager = StateManager(self.store, clock=self.clock)
        state = manager.get_state(JOB)
        assert (state.phase, state.progress.done) == ("completed", len(ITEMS))
        results = dict(manager.results(JOB))
        assert not self.lost()
        assert not self.wrong, self.wrong
        merged, upload = manager.result(JOB)
        assert (merged["of"], upload["call"]) == (results, state.variables["reduce/upload"]["call"])
        (report,) = manager.verify(JOB)
        assert report.sound, report.problems
        assert let_go(manager, JOB)

    def lost(self) -> list[str]:
        """The items and steps whose outcome was acknowledged and is not what the store has."""
        manager = StateManager(self.store, clock=self.clock)
        kept = {**dict(manager.results(JOB)), **manager.get_state(JOB).variables}
        return [name for name, value in self.acknowledged.items() if kept.get(name) != value]

    def _call(self, name: str) -> None:
        self.calls[name] += 1
        if name in self.durable:
            self.wrong.append(f"{name} had finished before this life and was called again")

    def _step(self, name: str, of: object = None) -> dict[str, object]:
        self._call(name)
        self.returned[name] = {"call": self.calls[name], "of": of}
        return dict(self.returned[name])

    def _finished(self) -> set[str]:
        """The items and steps whose outcome is in the store."""
        manager = StateManager(self.store, clock=self.clock)
        if not manager.job_ids():
            return set()
        state = manager.get_state(JOB)
        return {*state.processed_items, *(name for name in state.variables if "/" in name)}
