"""Drives the real manager on SQLite along steps of the model, and reads what is then stored.

Each executor of the model is a process: a store that is opened by it, a manager that remembers
what it has met, a pid. What it says and what the rows then are must be what the model says.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from milepost import ItemEvent, JobEvent, JobState, LeaseHeld, StateManager, Write
from milepost.errors import MilepostError
from milepost.log.facts import CheckpointTaken, ItemsFired
from milepost.state.writing.liveness import Standing
from milepost.testing import FakeClock
from tests.protocol.executor import JOB, TTL_S, DifferenceError, Executor, raises, result_of
from tests.protocol.machine import DATABASE, Machine
from tests.protocol.model import (
    FOREIGN,
    FREE,
    FRESH,
    IDLE,
    LAPSED,
    NOTHING,
    PLANNED,
    READY,
    UNKNOWN,
    WORKING,
    Act,
    State,
    Step,
    Stored,
    World,
)

_DAY_S: Final = 86_400.0
_BEGAN: Final = 2  # commits that a job has before anybody takes it


def prepared(folder: Path, results: int) -> dict[str, bytes]:
    """The files of a store with a job of so many items, whose phase has begun; closed."""
    database = folder / "prepared.db"
    most = {"max_attempts": 100, "max_crashes": 100, "has_reduce": False}
    with StateManager.open(database, clock=FakeClock()) as manager:
        manager.create_job(list(range(results)), job_id=JOB, config=most)
        state = manager.fire(JOB, "start_map")
        assert state.seq == _BEGAN
    return {DATABASE: database.read_bytes()}


class Drive:
    """The real thing at the state that the model is at. `take` takes a step, and compares."""

    def __init__(self, world: World, folder: Path, files: dict[str, bytes]) -> None:
        self._world = world
        self._folder = folder
        self._boots = 0
        self._machines: list[Machine] = []
        self._dead: list[Executor] = []
        self._length = self._durable_length = _BEGAN
        self._told = 0
        self._boot(files, FakeClock().now_us())

    def take(self, step: Step, after: State, *, compared: bool = True) -> None:
        """Take the step; raises DifferenceError unless the real thing comes to `after`.

        What is not `compared` was taken before, and only leads to where a new step begins.
        """
        try:
            self._do(step, after)
        except MilepostError as error:
            raise DifferenceError(f"{error.code}: {error}") from error
        self._length += step.rows
        if step.act == Act.CUT_POWER:
            self._length = self._durable_length
            if self._world.durability == "process":
                self._told = min(self._told, len(after.stored.results))
        elif self._world.durability == "full" or step.act == Act.REACH_DISK:
            self._durable_length = self._length
        if compared:
            try:
                self._compare(after)
            except MilepostError as error:
                raise DifferenceError(f"it cannot be read: {error.code}: {error}") from error
        elif after.stored.lease == FOREIGN:
            self._standings()

    def verify(self) -> None:
        """Raise DifferenceError unless the log, what is derived from it and the file are sound."""
        for verification in self._operator.verify():
            _same("verify", [p.message for p in verification.problems], [])

    def end(self) -> None:
        """Let go of everything."""
        for executor in (*self._executors, *self._dead):
            executor.bury()
        for machine in self._machines:
            machine.end()

    def _boot(self, files: dict[str, bytes], at_us: int) -> None:
        self._boots += 1
        folder = self._folder / str(self._boots)
        self._machine = Machine(folder, files, self._world.durability, at_us)
        self._machines.append(self._machine)
        self._operator = self._machine.manager(self._machine.store(), self._machine.table.begin())
        numbers = range(1, self._world.executors + 1)
        self._executors = [Executor(self._machine, number) for number in numbers]

    def _do(self, step: Step, after: State) -> None:
        clock = self._machine.clock
        match step.act:
            case Act.LAPSE:
                clock.advance(TTL_S)
            case Act.SET_AHEAD:
                clock.step(_DAY_S)
            case Act.SET_BACK:
                clock.step(-_DAY_S)
            case Act.REACH_DISK:
                self._machine.reach_disk()
            case Act.CUT_POWER:
                files = self._machine.cut()
                for executor in self._executors:
                    executor.die()
                self._dead += self._executors
                self._boot(files, clock.now_us())
            case Act.OPERATOR_RECORDS:
                self._record_as_operator()
            case Act.DIE:
                self._kill(step.who, after)
            case _:
                state = self._executors[step.who - 1].do(step.act)
                if state is not None:
                    self._tell(state)

    def _record_as_operator(self) -> None:
        """The result of the item that runs; and who says so, or the commit could be another's."""
        item = self._operator.get_state(JOB).progress.done
        result = ItemEvent(item, "succeed", {"result": result_of(item)})
        told = JobEvent("set_variables", {"variables": {"recorded_by": "an operator"}})
        (answer,) = self._operator.write_each([Write(JOB, [result, told], operator=True)])
        if isinstance(answer, Exception):
            raise answer
        self._tell(answer)

    def _kill(self, who: int, after: State) -> None:
        """The process ends, and another begins in its place."""
        executor = self._executors[who - 1]
        executor.die()
        self._dead.append(executor)
        self._executors[who - 1] = Executor(self._machine, who)
        self._watch_anew(after)

    def _tell(self, state: JobState) -> None:
        """A result was acknowledged."""
        self._told = max(self._told, state.progress.done)

    def _watch_anew(self, after: State) -> None:
        """Let a new process see for a ttl that a holder whose time says nothing to it is silent."""
        if after.stored.lease == LAPSED:
            self._standings()
            self._machine.clock.advance(TTL_S)

    # What is there

    def _compare(self, after: State) -> None:
        _same("stored", self._stored(after.stored.lease), after.stored)
        _same("told", self._told, after.told)
        self._compare_leases(after)
        for executor, modelled in zip(self._executors, after.executors, strict=True):
            fence = 0 if executor.lease is None else executor.lease.fence
            _same(f"fence of {executor.name}", fence, modelled.fence)
            if modelled.at in (READY, WORKING, UNKNOWN):
                _same(f"results that {executor.name} knows of", executor.done, modelled.done)
            if modelled.at == PLANNED:
                assert executor.plan is not None
                _same(f"plan of {executor.name}", executor.plan.state.progress.done, modelled.done)
                is_newest = executor.plan.seq == self._length
                _same(f"plan of {executor.name}", is_newest, modelled.note == NOTHING)

    def _stored(self, lease: int) -> Stored:
        """The rows in the words of the model, but for the lease, on which there are views."""
        loader = self._operator._loader
        results: list[tuple[int, int]] = []
        places: list[int] = []
        taken: set[int] = set()
        with loader.store.reading() as reader:
            log = loader.log(reader, JOB)
            rows = list(log.rows())
            for row in rows:
                for fact in log.facts(row):
                    if isinstance(fact, ItemsFired) and fact.event == "succeed":
                        results += [(ordinal + 1, row.fence) for ordinal in fact.ordinals]
                        places += [row.seq] * len(fact.ordinals)
                    elif isinstance(fact, CheckpointTaken):
                        taken.add(fact.seq)
            state = log.load(self._operator._appender.known(JOB)).state
            checkpoints = [stored.seq for stored in reader.checkpoints(log.number)]
            kept = reader.lease(log.number)
        _same("commits", [row.seq for row in rows], list(range(1, self._length + 1)))
        fences = [row.fence for row in rows]
        _same("fences", fences, sorted(fences))
        _same("fence of the newest commit", rows[-1].fence, state.fence)
        _same("fence of the lease's row", 0 if kept is None else kept.fence, state.fence)
        _same("checkpoints that the log tells of", set(checkpoints) <= taken, True)
        return Stored(
            fence=state.fence,
            holder=int(state.owner[1:]) if state.owner else 0,
            lease=lease,
            results=tuple(results),
            running=state.progress.running,
            orphaned=int(state.orphaned),
            checkpoint=sum(seq <= max(checkpoints, default=0) for seq in places),
        )

    def _standings(self) -> list[Standing | None]:
        """How the holder stands in the eyes of each process; to look is to begin to watch."""
        seen = [executor.manager.holder(JOB) for executor in self._executors]
        return [None if holding is None else holding.standing for holding in seen]

    def _compare_leases(self, after: State) -> None:
        """Every process must see of the lease what the model says; and be refused, or not."""
        stored = after.stored
        alive = any(e.at != IDLE and e.fence == stored.fence for e in after.executors)
        wanted: set[Standing | None]
        if stored.lease == FREE:
            wanted = {None}
        elif stored.lease == FRESH:
            wanted = {Standing.ALIVE if alive else Standing.GONE}
        elif stored.lease == FOREIGN:
            wanted = {Standing.WATCHED}
        else:
            wanted = {Standing.LAPSED} if alive else {Standing.LAPSED, Standing.GONE}
        for executor, standing in zip(self._executors, self._standings(), strict=True):
            if standing not in wanted:
                raise DifferenceError(f"{executor.name} sees {standing}, and not one of {wanted}")
        if wanted <= {Standing.ALIVE, Standing.WATCHED}:
            for executor in self._executors:
                if executor.lease is None:
                    raises(LeaseHeld, executor.take)


def _same(what: str, found: Any, modelled: Any) -> None:
    if found != modelled:
        raise DifferenceError(f"{what}: {found} in the store, {modelled} in the model")
