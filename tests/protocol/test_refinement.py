"""The real store is driven along every step of the model, and compared with it after each."""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from msgspec import structs

from milepost import JobState
from milepost.job import fold
from milepost.job.state import changed
from milepost.log.facts import LeaseTaken
from milepost.log.rows import StoredCheckpoint, StoredLease
from milepost.state.reading.loading import JobLog, Loading
from milepost.state.writing import lease as leases
from milepost.state.writing import observing
from milepost.state.writing.append import Appender
from milepost.state.writing.liveness import Standing, Verdict
from milepost.stores.sqlite import store as sqlite_store
from milepost.stores.sqlite.writing import SqliteWriter
from tests.protocol.driving import Drive, prepared
from tests.protocol.executor import DifferenceError
from tests.protocol.explore import Graph, explore
from tests.protocol.model import Step, World
from tests.protocol.walks import walks
from tests.protocol.worlds import DRIVEN, DRIVEN_LONG

SOAK = bool(os.environ.get("MILEPOST_SOAK"))
WORLDS = {**DRIVEN, **(DRIVEN_LONG if SOAK else {})}
PARTS = 2  # of the walks of one world, so that two processes can share them

Way = Sequence[tuple[Step, int]]


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    """Commits without an answer are told of in the log, thousands of them."""
    logging.getLogger("milepost").setLevel(logging.CRITICAL)
    yield
    logging.getLogger("milepost").setLevel(logging.NOTSET)


def drive(graph: Graph, ways: Sequence[tuple[Way, int]], folder: Path) -> set[tuple[int, Step]]:
    """Drive along the ways, each in a store of its own; the steps after which was compared.

    Of each way the steps from a given one on are new.
    """
    files = prepared(folder, graph.world.results)
    taken: set[tuple[int, Step]] = set()
    for number, (way, new) in enumerate(ways):
        place = folder / str(number)
        place.mkdir()
        real = Drive(graph.world, place, files)
        at = 0
        told: list[Step] = []
        try:
            for count, (step, to) in enumerate(way):
                told.append(step)
                real.take(step, graph.states[to], compared=count >= new)
                if count >= new:
                    taken.add((at, step))
                at = to
            real.verify()
        except DifferenceError as error:
            trace = "".join(f"\n{n:3}. {step}" for n, step in enumerate(told, 1))
            raise DifferenceError(f"{error}, after{trace}") from error
        finally:
            real.end()
            shutil.rmtree(place)  # there are thousands, of 100 kB and more
    return taken


def marked(graph: Graph) -> list[tuple[Way, int]]:
    """All walks, each with the number of the first step in it that no walk before has taken."""
    seen: set[tuple[int, Step]] = set()
    found: list[tuple[Way, int]] = []
    for way in walks(graph):
        at, new = 0, len(way)
        for count, (step, to) in enumerate(way):
            if (at, step) not in seen:
                seen.add((at, step))
                new = min(new, count)
            at = to
        found.append((way, new))
    return found


@pytest.mark.parametrize("part", range(PARTS))
@pytest.mark.parametrize("name", WORLDS)
def test_the_store_takes_every_step_as_the_model_does(
    name: str, part: int, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    world, count = WORLDS[name]
    graph = explore(world)
    assert graph.step_count == count
    ways = marked(graph)
    every = {(at, step) for at, nexts in enumerate(graph.after) for step, _ in nexts}
    assert len(every) == count
    new = [new_steps(ways[number::PARTS]) for number in range(PARTS)]
    assert set().union(*new) == every
    taken = drive(graph, ways[part::PARTS], tmp_path)
    assert taken == new[part]
    mine = new[part] - set().union(*new[:part])
    record_property("counted", ("protocol, steps that the real store took", {name: len(mine)}))


def new_steps(ways: Sequence[tuple[Way, int]]) -> set[tuple[int, Step]]:
    """The steps of the ways from the first new one of each on, with where each begins."""
    found: set[tuple[int, Step]] = set()
    for way, new in ways:
        at = 0
        for count, (step, to) in enumerate(way):
            if count >= new:
                found.add((at, step))
            at = to
    return found


# Negative controls: a fault in the real code, and the store is not where the model is.


def no_fence(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(leases, "_is_current", lambda moment, lease: True)


def fence_kept(patch: pytest.MonkeyPatch) -> None:
    """Below what takes a lease the fold looks as well: both are taken out."""
    real, stamp = fold._taken, observing.Observer.stamp

    def taken(state: JobState, fact: LeaseTaken) -> JobState:
        after = real(state, structs.replace(fact, fence=state.fence + 1))
        return changed(after, fence=max(state.fence, 1))

    def stamped(self: observing.Observer, owner: str, fence: int, *rest: Any) -> StoredLease:
        return stamp(self, owner, max(fence - 1, 1), *rest)

    patch.setattr(fold, "_taken", taken)
    patch.setattr(observing.Observer, "stamp", stamped)


def no_compare(patch: pytest.MonkeyPatch) -> None:
    load = JobLog.load

    def believed(self: JobLog, known: Any = None) -> Loading:
        return load(self) if known is None else Loading(state=self.loader.current(known))

    patch.setattr(JobLog, "load", believed)


def lost_sync(patch: pytest.MonkeyPatch) -> None:
    patch.setitem(sqlite_store._SYNCHRONOUS, "full", ("NORMAL", 1))


def wall_clock(patch: pytest.MonkeyPatch) -> None:
    """As in tests/crash/test_clocks.py: by the time until which it was to run."""
    here = observing.Observer._here

    def looking(self: observing.Observer, stored: Any) -> Any:
        patch.setattr(observing, "judge", by_the_wall(self.now_us()))
        return here(self, stored)

    def by_the_wall(now_us: int) -> Callable[..., Verdict]:
        def judged(stored: Any, here: Any, seen_us: Any) -> Verdict:
            left_us = stored.expires_at_us - now_us
            standing = Standing.ALIVE if left_us > 0 else Standing.LAPSED
            reason = "" if left_us > 0 else "expired"
            return Verdict(
                standing=standing, left_us=max(left_us, 0), ttl_us=1, why="", reason=reason
            )

        return judged

    patch.setattr(observing.Observer, "_here", looking)


def checkpoint_ahead(patch: pytest.MonkeyPatch) -> None:
    put = SqliteWriter.put_checkpoint

    def ahead(self: SqliteWriter, job: int, stored: StoredCheckpoint) -> None:
        put(self, job, structs.replace(stored, seq=stored.seq + 1))

    patch.setattr(SqliteWriter, "put_checkpoint", ahead)


def settled_by_seq(patch: pytest.MonkeyPatch) -> None:
    def took_place(self: Appender, written: Any) -> bool:
        with self._loader.store.reading() as reader:
            return all(list(reader.rows(job.number, s.seq - 1, s.seq)) for job, s in written)

    patch.setattr(Appender, "_took_place", took_place)


ONE_LEASE = World(results=1, fences=1, corrections=0, cuts=0)
TWO_LEASES = World(results=1, fences=2, corrections=0, cuts=0)

CONTROLS: dict[str, tuple[Callable[[pytest.MonkeyPatch], None], World, str]] = {
    "no fence": (no_fence, TWO_LEASES, "E1 finds that it cannot renew, and stops$"),
    "fence kept": (fence_kept, TWO_LEASES, "(?s)stored: .*E1 takes the job$"),
    "no compare": (no_compare, ONE_LEASE, "(?s)does not follow.*INV-GAPLESS.*E1 records"),
    "lost sync": (lost_sync, World(results=1, fences=1, corrections=0), "the power is cut$"),
    "wall clock": (wall_clock, World(results=1, fences=1, cuts=0), "(?s)E1 sees .*clock is set"),
    "checkpoint ahead": (checkpoint_ahead, ONE_LEASE, "(?s)checkpoints .*takes a checkpoint$"),
    "settled by seq": (settled_by_seq, ONE_LEASE, "it is not there$"),
}
"""The fault, an instance in which it shows, and how what is told of it ends."""


@pytest.mark.parametrize("name", CONTROLS)
@pytest.mark.control("protocol, steps that the real store took")
def test_a_fault_in_the_code_is_found(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fault, world, told = CONTROLS[name]
    ways = marked(graph := explore(world))
    fault(monkeypatch)
    with pytest.raises(DifferenceError, match=told):
        drive(graph, ways, tmp_path)
