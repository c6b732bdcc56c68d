"""A model of how jobs are kept: executors, leases, appends, checkpoints, crashes, power cuts.

Pure. A `World` says how large it is and which fault is put in; `first` is its first state, and
`steps` are all that can happen in a state. `Persistence.tla` says the same in TLA+, action by
action and under the same names. docs/explanation/protocol.md says what is left out.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Literal, NamedTuple, TypeAlias

Fault: TypeAlias = Literal[
    "none",
    "no fence",
    "check in another transaction",
    "no compare",
    "lost sync",
    "wall clock",
    "wall clock back",
    "checkpoint ahead",
    "fence kept",
    "settled by seq",
]
"""What is taken out of the protocol, to see that it is missed."""

# Where an executor is in its work.
IDLE: Final = 0  # it holds nothing
HELD: Final = 1  # it took the lease, and has not looked at the job
PLANNED: Final = 2  # it has a plan to take the job up
READY: Final = 3  # no item of its is being worked on
WORKING: Final = 4  # it calls the item that comes next
UNKNOWN: Final = 5  # its commit failed in a way that does not say whether it took place
CHECKED: Final = 6  # a fault's: it has looked that it holds the job, and will write

# What the store's row says of the holder's lease.
FREE: Final = 0  # the log says that it was given back, or never taken
FRESH: Final = 1  # renewed within its ttl, by a steady time that is comparable
LAPSED: Final = 2  # not renewed for its ttl, as far as anybody can tell
FOREIGN: Final = 3  # of a boot before this one: it has to be watched for its ttl

# How the wall clock stands.
RIGHT: Final = 0
AHEAD: Final = 1
BEHIND: Final = 2

# What an executor notes beside its fence: of its plan, and of its commit of unknown outcome.
NOTHING: Final = 0  # as it was looked at; the commit is not there
OVERTAKEN: Final = 1  # others appended since; the commit is not there
THERE: Final = 2  # the commit is there


class Stored(NamedTuple):
    """What the rows of the store say of the job.

    `fence` and `holder` are those of the log's newest word on leases, `lease` is the row beside it.
    `results` are the recorded results in the order of the log: which item, under which fence.
    `running` is 1 while an item is begun, `orphaned` from when the job was taken of one who had not
    given it back until it is taken up; `checkpoint` is how many results the newest one has.
    """

    fence: int
    holder: int
    lease: int
    results: tuple[tuple[int, int], ...]
    running: int
    orphaned: int
    checkpoint: int


class Executor(NamedTuple):
    """What one process has in its memory: `done` is how many results it knows of."""

    at: int
    fence: int
    done: int
    note: int


class State(NamedTuple):
    """All of the world at one moment.

    `stored` is what everybody reads, `durable` what a power cut leaves. `told` is how many results
    were acknowledged to somebody. `broken` names a promise that a step broke.
    """

    stored: Stored
    durable: Stored
    told: int
    executors: tuple[Executor, ...]
    clock: int
    corrections: int
    cuts: int
    broken: str


class Act(StrEnum):
    """Everything that can happen, as it is told in a trace."""

    LAPSE = "the ttl passes and the lease is not renewed"
    SET_AHEAD = "the wall clock is set ahead"
    SET_BACK = "the wall clock is set back"
    REACH_DISK = "the log reaches the disk"
    CUT_POWER = "the power is cut"
    OPERATOR_RECORDS = "an operator records the result"
    TAKE = "takes the job"
    DIE = "dies"
    RENEW = "renews"
    RENEW_REFUSED = "finds that it cannot renew, and stops"
    LOOK = "looks at the job and plans"
    TAKE_UP = "takes the job up"
    TAKE_UP_NOTHING = "finds nothing to take up"
    TAKE_UP_REFUSED = "is refused to take the job up, and stops"
    PLAN_STALE = "is told that its plan is stale"
    BEGIN = "begins an item"
    BEGIN_REFUSED = "is refused to begin an item, and stops"
    BEGIN_IMPOSSIBLE = "is told that it cannot begin"
    FINISH = "records the result"
    FINISH_AND_BEGIN = "records the result and begins the next in one commit"
    FINISH_REFUSED = "is refused to record the result, and stops"
    FINISH_IMPOSSIBLE = "is told that nothing is begun"
    UNANSWERED_THERE = "records the result and gets no answer; it is there"
    UNANSWERED_ABSENT = "records the result and gets no answer; it is not there"
    SETTLE_THERE = "reads the log again: it is there"
    SETTLE_ABSENT = "reads the log again: it is not there"
    CHECKPOINT = "takes a checkpoint"
    CHECKPOINT_REFUSED = "is refused a checkpoint, and stops"
    RELEASE = "gives the job back"
    RELEASE_NOTHING = "ends; the job is another's"
    CHECK = "looks that it holds the job"  # of a fault
    PUT_AHEAD = "puts a checkpoint aside before its result"  # of a fault


class Step(NamedTuple):
    """What happens: who does what. Executors are 1, 2, ...; an operator, time and the disk are 0.

    `rows` is how many commits are appended to the job's log.
    """

    who: int
    act: Act
    rows: int = 0

    def __str__(self) -> str:
        return f"E{self.who} {self.act}" if self.who else str(self.act)


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """How large an instance of the model is, what durability it promises, and its fault.

    `results` is how many items the job has, `fences` how often the job can be taken, `corrections`
    how often the wall clock is set, `cuts` how often the power is cut.
    """

    executors: int = 2
    results: int
    fences: int
    corrections: int = 1
    cuts: int = 1
    durability: Literal["full", "process"] = "full"
    fault: Fault = "none"

    @property
    def synced(self) -> bool:
        """True if a commit is on the disk when it is acknowledged."""
        return self.durability == "full" and self.fault != "lost sync"


_GONE: Final = Executor(IDLE, 0, 0, NOTHING)
_NEW: Final = Stored(0, 0, FREE, (), 0, 0, 0)


def first(world: World) -> State:
    """The state in which the job has just been created, and is on the disk."""
    idle = (_GONE,) * world.executors
    return State(_NEW, _NEW, 0, idle, RIGHT, world.corrections, world.cuts, "")


def steps(world: World, state: State) -> Iterator[tuple[Step, State]]:
    """Everything that can happen next, each with the state after it; in one order."""
    yield from _time(state)
    yield from _disk(world, state)
    yield from _operator(world, state)
    for who, executor in enumerate(state.executors, 1):
        if executor.at == IDLE:
            yield from _take(world, state, who)
            continue
        yield _crash(state, who)
        yield from _renew(state, who)
        match executor.at:
            case 1:
                yield _look(state, who)
            case 2:
                yield _take_up(world, state, who)
            case 3:
                yield from _begin(world, state, who)
                yield from _checkpoint(world, state, who)
                yield _release(world, state, who)
            case 4:
                yield from _finish(world, state, who)
            case 5:
                yield _settle(world, state, who)
            case _:
                yield _begin_checked(world, state, who)


def broken(state: State) -> str:
    """The first promise that the state does not keep, by its name; empty if it keeps all."""
    stored = state.stored
    if state.broken:
        return state.broken
    items = [item for item, _ in stored.results]
    fences = [fence for _, fence in stored.results]
    if len(stored.results) < state.told:
        return "INV-ACK: a result that was acknowledged is not there"
    if len(set(items)) < len(items):
        return "INV-ONCE: an item's result is recorded twice"
    if items != list(range(1, len(items) + 1)):
        return "INV-GAPLESS: the log has a hole"
    if fences != sorted(fences):
        return "INV-FENCE: fences fall"
    if stored.checkpoint > len(stored.results):
        return "INV-FOLD: a checkpoint is ahead of the log"
    held = [executor.fence for executor in state.executors if executor.at != IDLE]
    if len(set(held)) < len(held):
        return "INV-FENCE: two hold one fence"
    return ""


def finished(world: World, state: State) -> bool:
    """True if every result is recorded."""
    return len(state.stored.results) == world.results


# Time, the disk, people


def _time(state: State) -> Iterator[tuple[Step, State]]:
    stored = state.stored
    if stored.lease in (FRESH, FOREIGN):  # nobody is told: not the holder either
        lapsed = stored._replace(lease=LAPSED)
        step = Step(0, Act.LAPSE)
        yield step, state._replace(stored=lapsed)
    if state.corrections:
        for clock, act in ((AHEAD, Act.SET_AHEAD), (BEHIND, Act.SET_BACK)):
            after = state._replace(clock=clock, corrections=state.corrections - 1)
            yield Step(0, act), after


def _disk(world: World, state: State) -> Iterator[tuple[Step, State]]:
    left = _left(state.stored)
    if state.durable != left:
        yield Step(0, Act.REACH_DISK), state._replace(durable=left)
    if state.cuts:
        left = state.durable
        promised = world.durability == "full"
        yield (
            Step(0, Act.CUT_POWER),
            state._replace(
                stored=left,
                told=state.told if promised else min(state.told, len(left.results)),
                executors=(_GONE,) * len(state.executors),
                cuts=state.cuts - 1,
            ),
        )


def _operator(world: World, state: State) -> Iterator[tuple[Step, State]]:
    """Somebody who may write whoever holds the job records what is being worked on."""
    if state.stored.running:
        after = _appended(world, state, 0, _recorded(state.stored, state.stored.fence))
        yield Step(0, Act.OPERATOR_RECORDS, 1), _told(after)


# What executors do


def _take(world: World, state: State, who: int) -> Iterator[tuple[Step, State]]:
    stored = state.stored
    if stored.fence == world.fences or finished(world, state):
        return
    if not _replaceable(world, state):
        return
    kept = world.fault == "fence kept" and stored.fence > 0
    fence = stored.fence if kept else stored.fence + 1
    held = any(e.at != IDLE and e.fence == stored.fence for e in state.executors)
    robbed = stored.lease == FRESH and held
    orphaned = int(stored.orphaned or stored.lease != FREE)
    taken = stored._replace(fence=fence, holder=who, lease=FRESH, orphaned=orphaned)
    after = _appended(world, state, who, taken)
    if robbed:
        after = after._replace(broken="a holder that renews keeps its job")
    yield Step(who, Act.TAKE, 1), _with(after, who, Executor(HELD, fence, 0, NOTHING))


def _replaceable(world: World, state: State) -> bool:
    """True if another may take the job: by processes and steady time, by no wall clock."""
    stored = state.stored
    if stored.lease == FREE:
        return True
    if world.fault == "wall clock":
        if state.clock == RIGHT:
            return stored.lease == LAPSED
        return state.clock == AHEAD
    if world.fault == "wall clock back":
        return stored.lease == LAPSED and state.clock != BEHIND
    if stored.lease == LAPSED:
        return True
    alive = any(e.at != IDLE and e.fence == stored.fence for e in state.executors)
    return stored.lease == FRESH and not alive


def _crash(state: State, who: int) -> tuple[Step, State]:
    return Step(who, Act.DIE), _with(state, who, _GONE)


def _renew(state: State, who: int) -> Iterator[tuple[Step, State]]:
    executor, stored = state.executors[who - 1], state.stored
    if stored.fence == executor.fence:
        if stored.lease == LAPSED:
            yield Step(who, Act.RENEW), state._replace(stored=stored._replace(lease=FRESH))
    elif executor.at != UNKNOWN:
        yield Step(who, Act.RENEW_REFUSED), _with(state, who, _GONE)


def _look(state: State, who: int) -> tuple[Step, State]:
    executor = state.executors[who - 1]
    plan = Executor(PLANNED, executor.fence, len(state.stored.results), NOTHING)
    return Step(who, Act.LOOK), _with(state, who, plan)


def _take_up(world: World, state: State, who: int) -> tuple[Step, State]:
    """The plan is carried out in one commit, if the job is where it was when it was looked at."""
    executor, stored = state.executors[who - 1], state.stored
    if not _holds(world, state, who):
        return _refused(world, state, who, Act.TAKE_UP_REFUSED)
    if executor.note == OVERTAKEN and world.fault != "no compare":
        held = Executor(HELD, executor.fence, 0, NOTHING)
        return Step(who, Act.PLAN_STALE), _with(state, who, held)
    ready = Executor(READY, executor.fence, executor.done, NOTHING)
    if not stored.orphaned:
        return Step(who, Act.TAKE_UP_NOTHING), _with(state, who, ready)
    after = _appended(world, state, who, stored._replace(running=0, orphaned=0))
    return Step(who, Act.TAKE_UP, 1), _with(after, who, ready)


def _begin(world: World, state: State, who: int) -> Iterator[tuple[Step, State]]:
    executor = state.executors[who - 1]
    if executor.done == world.results:
        return
    if world.fault == "check in another transaction":
        if _holds(world, state, who):
            checked = executor._replace(at=CHECKED)
            yield Step(who, Act.CHECK), _with(state, who, checked)
        else:
            yield _refused(world, state, who, Act.BEGIN_REFUSED)
    elif _holds(world, state, who):
        yield _begun(world, state, who)
    else:
        yield _refused(world, state, who, Act.BEGIN_REFUSED)


def _begin_checked(world: World, state: State, who: int) -> tuple[Step, State]:
    return _begun(world, state, who)


def _begun(world: World, state: State, who: int) -> tuple[Step, State]:
    executor, stored = state.executors[who - 1], state.stored
    if stored.running or len(stored.results) > executor.done:
        return Step(who, Act.BEGIN_IMPOSSIBLE), _with(state, who, _GONE)
    after = _appended(world, state, who, stored._replace(running=1))
    working = Executor(WORKING, executor.fence, executor.done, NOTHING)
    return Step(who, Act.BEGIN, 1), _with(after, who, working)


def _finish(world: World, state: State, who: int) -> Iterator[tuple[Step, State]]:
    """The result is recorded; alone, with the beginning of the next, or with no answer."""
    executor, stored = state.executors[who - 1], state.stored
    if world.fault == "checkpoint ahead" and stored.checkpoint <= executor.done:
        ahead = stored._replace(checkpoint=executor.done + 1)
        yield Step(who, Act.PUT_AHEAD, 1), _appended(world, state, who, ahead)
    if not _holds(world, state, who):
        yield _refused(world, state, who, Act.FINISH_REFUSED)
        return
    done = executor.done + 1
    ready = Executor(READY, executor.fence, done, NOTHING)
    working = Executor(WORKING, executor.fence, done, NOTHING)
    is_recorded = len(stored.results) > executor.done and world.fault != "no compare"
    if not is_recorded and not stored.running and world.fault != "no compare":
        yield Step(who, Act.FINISH_IMPOSSIBLE), _with(state, who, _GONE)
        return
    if is_recorded:
        after, rows, recorded = state, 0, stored
    else:
        recorded = _recorded(stored, stored.fence, executor.done + 1)
        after, rows = _appended(world, state, who, recorded), 1
    told = after._replace(told=max(after.told, done))
    yield Step(who, Act.FINISH, rows), _with(told, who, ready)
    if done < world.results:
        both = _appended(world, state, who, recorded._replace(running=1))
        both = both._replace(told=max(both.told, done))
        yield Step(who, Act.FINISH_AND_BEGIN, 1), _with(both, who, working)
    if not is_recorded:
        unknown = Executor(UNKNOWN, executor.fence, executor.done, THERE)
        yield Step(who, Act.UNANSWERED_THERE, 1), _with(after, who, unknown)
        absent = unknown._replace(note=NOTHING)
        yield Step(who, Act.UNANSWERED_ABSENT), _with(state, who, absent)


def _settle(world: World, state: State, who: int) -> tuple[Step, State]:
    """The log is read again: the commit is there if one with its seq has its digest."""
    executor = state.executors[who - 1]
    there = executor.note == THERE
    if world.fault == "settled by seq":
        there = executor.note != NOTHING
    if there:
        done = executor.done + 1
        ready = Executor(READY, executor.fence, done, NOTHING)
        told = state._replace(told=max(state.told, done))
        return Step(who, Act.SETTLE_THERE), _with(told, who, ready)
    again = Executor(WORKING, executor.fence, executor.done, NOTHING)
    return Step(who, Act.SETTLE_ABSENT), _with(state, who, again)


def _checkpoint(world: World, state: State, who: int) -> Iterator[tuple[Step, State]]:
    executor, stored = state.executors[who - 1], state.stored
    if executor.done <= stored.checkpoint:
        return
    if not _holds(world, state, who):
        yield _refused(world, state, who, Act.CHECKPOINT_REFUSED)
        return
    after = _appended(world, state, who, stored._replace(checkpoint=len(stored.results)))
    yield Step(who, Act.CHECKPOINT, 1), _with(after, who, executor)


def _release(world: World, state: State, who: int) -> tuple[Step, State]:
    if not _holds(world, state, who):
        return Step(who, Act.RELEASE_NOTHING), _with(state, who, _GONE)
    free = state.stored._replace(holder=0, lease=FREE)
    after = _appended(world, state, who, free)
    return Step(who, Act.RELEASE, 1), _with(after, who, _GONE)


# Parts of steps


def _holds(world: World, state: State, who: int) -> bool:
    """True if the executor's writes pass: its fence is the newest, by the log, under the lock."""
    if world.fault == "no fence":
        return True
    return state.stored.fence == state.executors[who - 1].fence


def _refused(world: World, state: State, who: int, act: Act) -> tuple[Step, State]:
    """It is told that another holds the job; the log keeps that it tried."""
    after = _appended(world, state, 0, state.stored)
    return Step(who, act, 1), _with(after, who, _GONE)


def _recorded(stored: Stored, fence: int, item: int = 0) -> Stored:
    item = item or len(stored.results) + 1
    return stored._replace(results=(*stored.results, (item, fence)), running=0)


def _left(stored: Stored) -> Stored:
    """The rows as a later boot finds them: by no time of its own can it tell who is silent."""
    return stored if stored.lease == FREE else stored._replace(lease=FOREIGN)


def _told(state: State) -> State:
    return state._replace(told=max(state.told, len(state.stored.results)))


def _appended(world: World, state: State, who: int, stored: Stored) -> State:
    """The state once a commit of the executor `who` left this; 0 is nobody who needs a lease."""
    executors = tuple(
        e._replace(note=OVERTAKEN)
        if e.note == NOTHING and e.at in (PLANNED, UNKNOWN) and number != who
        else e
        for number, e in enumerate(state.executors, 1)
    )
    stale = who > 0 and state.executors[who - 1].at != IDLE
    stale = stale and state.executors[who - 1].fence != state.stored.fence
    return state._replace(
        stored=stored,
        durable=_left(stored) if world.synced else state.durable,
        executors=executors,
        broken="INV-FENCE: a commit of one whose fence is stale" if stale else state.broken,
    )


def _with(state: State, who: int, executor: Executor) -> State:
    executors = state.executors
    return state._replace(executors=(*executors[: who - 1], executor, *executors[who:]))
