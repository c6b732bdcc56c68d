"""A store, the processes that drive what is in it and end before it does, and the judge."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from milepost.machine import Lifecycle
from milepost.state.manager import StateManager
from milepost.stores.opening import open_store
from milepost.stores.protocol import StateStore
from milepost.testing.deaths.driving import Live, Order, Place, drive
from milepost.testing.deaths.ending import failed
from milepost.testing.deaths.judging import (
    Check,
    Record,
    again,
    broken,
    finished,
    named,
    objected,
    said_by,
)
from milepost.testing.deaths.nursery import Child, Fate, Nursery
from milepost.testing.histories.history import History
from milepost.testing.journal import Pages, wait_until_alone

__all__ = ["Trial"]


class Trial:
    """A store of its own, and processes that drive what is in it, one after the other.

    `hit` counts the places at which they died or stood still, `points` what the commits that they
    made were about.

    Args:
        live: What each process does, with a Driver: it makes the job if it is not there, and runs
            it to its end. A function of a module, or a `partial` of one.
        url: A new store.
        journal: A new file for what the processes note.
        nursery: Where they are born.
        lifecycle: By which the jobs run; None is the one that is built in.
        check: Asserts what else must hold once a process has come to its end.
        always: Asserts what else must hold at any moment.
    """

    def __init__(
        self,
        live: Live,
        url: str,
        journal: Path,
        nursery: Nursery,
        *,
        lifecycle: Lifecycle | None = None,
        check: Check | None = None,
        always: Check | None = None,
    ) -> None:
        self.url = url
        self.journal = journal
        self.hit: Counter[Place] = Counter()
        self.points: Counter[str] = Counter()
        self.lives = 0
        self._nursery = nursery
        self._live = live
        self._lifecycle = lifecycle
        self._check = check
        self._always = always
        self._record = Record()
        self._pages = Pages(journal)
        self._durable: dict[str, str] = {}
        self._numbers: dict[Child, int] = {}
        self._ends: list[str] = []
        open_store(url).close()
        journal.touch()

    def begin(
        self,
        *,
        due: frozenset[Place] = frozenset(),
        stalls: bool = False,
        live: Live | None = None,
        at: str = "",
        nth: int = 1,
        delay_s: float | None = None,
        signals: Sequence[int] = (),
    ) -> Child:
        """The next process: it dies at the first of the places in `due`, or stands still there.

        Args:
            due: Places at commits, each one that is about that.
            stalls: It stands still instead, where a commit was made, until it gets SIGCONT.
            live: What it does instead of what the others do.
            at: As in Nursery.begin, as the rest: it says `open`, and `before` or `after` and a
                point at each of its commits.
            nth: The so manieth time that it says so.
            delay_s: So many seconds later.
            signals: What it is sent. SIGKILL if nothing is said.
        """
        self.lives += 1
        with self._looking() as (_, manager):
            self._durable = finished(manager)
        journal, module = str(self.journal), _module_of(self._lifecycle)
        order = Order(live or self._live, self.url, journal, self.lives, due, stalls, module)
        when: dict[str, Any] = {"signals": signals} if signals else {}
        with self._noting(self.lives):
            child = self._nursery.begin(
                partial(drive, order), at=at, nth=nth, delay_s=delay_s, **when
            )
        self._numbers[child] = self.lives
        if child.stands:
            self._ends.append(f"process {self.lives} stood still")
        return child

    def end(self, child: Child, *, alone: bool = True) -> Fate:
        """How that process ended; if it is `alone`, once its workers are gone, too.

        Raises AssertionError if what was promised does not hold, or if the process failed.
        """
        number = self._numbers.get(child, self.lives)
        with self._noting(number):
            fate = child.end()
        with self._noting(number, fate.doing):
            if not fate.killed and fate.status != 0:
                with self._looking() as (_, manager):
                    why = [f"- {told}" for told in failed(manager)]
                raise AssertionError("\n".join([self._nursery.errors(), *why]))
        if alone:
            wait_until_alone(self.journal)
        if fate.killed:
            self._ends.append(f"process {number} was killed {_at(fate.doing)}")
        self.look(f"process {number}, whose last words were {fate.doing!r}")
        return fate

    def raise_child(self, **when: Any) -> Fate:
        """How a process ended that was begun as in `begin`. Raises AssertionError as `end` does."""
        return self.end(self.begin(**when))

    def look(self, after: str, *, ended: bool = False) -> None:
        """Raise AssertionError unless all that was promised so far is so.

        If a process has come to its end, the jobs have `ended`, too, and the store is sound.
        """
        with self._looking() as (store, manager):
            self._read(manager)
            objected(after, self._complaints(store, manager, after, ended=ended))

    def _complaints(
        self, store: StateStore, manager: StateManager, after: str, *, ended: bool
    ) -> Iterator[str]:
        history = History.of([self.journal])
        yield from broken(self._record, manager, store, ended=ended, history=history)
        if ended:
            yield from store.check()
        yield from said_by(self._always, manager, after)
        if ended:
            yield from said_by(self._check, manager, after)

    def finish(self) -> None:
        """Let a process come to its end, and judge what there is.

        Raises AssertionError if it does not come to its end, or if something does not hold.
        """
        fate = self.raise_child()
        assert not fate.killed, "a process that was to come to its end was killed"
        self.look(f"process {self.lives} came to its end", ended=True)

    @contextmanager
    def _noting(self, number: int, doing: str = "") -> Iterator[None]:
        """An AssertionError gets a note: of which process, and where those before it ended."""
        try:
            yield
        except AssertionError as error:
            last = f", {_at(doing)}" if doing else ""
            before = ", ".join(self._ends)
            error.add_note(
                f"this was process {number}{last}" + (f", after {before}" if before else "")
            )
            raise

    def _read(self, manager: StateManager) -> None:
        """What was noted since the last time."""
        record = self._record
        alone = len(manager.job_ids()) == 1  # or nobody knows of which job a call is
        for word, *values in self._pages.turn():
            match word, values:
                case "call", [str(name), life]:
                    record.called.add(name)
                    if name in self._durable and life == self.lives:
                        record.again.append(again(self._durable[name], f"process {life}"))
                case "acknowledged", [str(job_id), list(names)]:
                    record.acknowledged.setdefault(job_id, set()).update(map(str, names))
                    if alone:
                        state = manager.get_state(job_id)
                        self._durable |= {str(name): named(state, str(name)) for name in names}
                case "hit", [_, list(places)]:
                    self.hit.update((when, point) for when, point in places)
                case "made", [list(points)]:
                    self.points.update(map(str, points))

    @contextmanager
    def _looking(self) -> Iterator[tuple[StateStore, StateManager]]:
        store = open_store(self.url, create=False)
        try:
            yield store, StateManager(store, lifecycle=self._lifecycle)
        finally:
            store.close()


def _at(doing: str) -> str:
    """Where a process was when it said so."""
    place = doing.startswith(("before ", "after "))
    return doing if place else f"after it said {doing!r}" if doing else "before it said anything"


def _module_of(lifecycle: Lifecycle | None) -> str:
    """The name of the module that has it: a lifecycle is its tables, which cannot be pickled."""
    if lifecycle is None:
        return ""
    for name, module in list(sys.modules.items()):
        if getattr(module, "__dict__", {}).get("LIFECYCLE") is lifecycle:
            return name
    raise TypeError("no module has this lifecycle as its LIFECYCLE: import the generated module")
