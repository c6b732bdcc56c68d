"""Declared invariants of a job and its items: what a decision may not break, what a log has broken.

A step *breaks* an invariant that does not hold after it and held before it, or was not asked for in
the state before it. So a job that was left broken, by a log from before invariants were enforced,
can go on and be ended: it is told of, not locked.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from pyroaring import BitMap

from milepost.items.ledger import Ledger
from milepost.job.fold import Moves, apply, trace
from milepost.job.numbers import check_numbers
from milepost.job.state import JobState
from milepost.job.subjects import items_of
from milepost.log.facts import Fact, ItemsAdded, ItemsFired, JobFired, MembersAdded
from milepost.machine import Invariant, InvariantBroken, Machine, Values

__all__ = ["breaks", "check_new", "decided"]

_STEPS: Final = (JobFired, ItemsFired, ItemsAdded, MembersAdded)


def decided(state: JobState, fact: Fact) -> JobState:
    """The state after a fact that is to be written: as `apply` gives it, or InvariantBroken.

    Only invariants that are enforced are looked at, of the states that something came into: once
    for the job, and once for each cell of its items; one that counts items, after each of those
    that take the event. Raises as `apply` does, and NumberUnfit where
    a step would make an integer that nothing stores.
    """
    after = apply(state, fact)
    if after.lifecycle.watched and isinstance(fact, _STEPS):
        if isinstance(fact, ItemsFired) and len(fact.ordinals) > 1:
            _check_each(state, fact)
        for broken in breaks(state, after, proved=False):
            raise _told(broken, state, fact)
    if isinstance(fact, JobFired | ItemsFired):
        check_numbers(state, after, fact)
    return after


def check_new(state: JobState) -> None:
    """Raise InvariantBroken unless a job that begins as `state` has all that is declared."""
    for broken in breaks(None, state):
        raise broken


def _check_each(state: JobState, fact: ItemsFired) -> None:
    """Raise InvariantBroken if one that counts items breaks in between, as they move one by one.

    Proofs are of members that move one at a time, and rest on what is enforced at each.
    """
    machine, phase = state.machine, state.phase
    counting = [one for one in machine.watched.get(phase, ()) if _counts(machine, one)]
    if not counting:
        return
    ((collection, event, moves),) = trace(state, fact).moves
    move_of = {ordinal: move for move in moves for ordinal in move.members}
    context = dict(state.guarded)
    held = {one.name for one in counting if one.holds(phase, context)}
    for ordinal in fact.ordinals:
        move = move_of[ordinal]
        context[f"{collection}.{move.before[0]}"] -= 1
        context[f"{collection}.{move.after[0]}"] += 1
        for one in counting:
            if one.holds(phase, context):
                held.add(one.name)
            elif one.name in held:
                broken = machine.broken(one, phase, context)
                broken.subject, broken.event = f"job {state.id}", event
                broken.transition = move.transition
                raise broken


def _counts(machine: Machine, one: Invariant) -> bool:
    """True if the invariant reads how many items there are in some state, or may."""
    counts = {name for name in machine.entries if not name.startswith("history.")}
    return bool(counts) and (not one.text or not counts.isdisjoint(one.reads))


def breaks(
    before: JobState | None, after: JobState, *, proved: bool = True
) -> Iterator[InvariantBroken]:
    """What does not hold in `after` and held in `before`: the job's own, then that of its items.

    With no `before` all that does not hold. An invariant of another version is the same if it has
    the same name. Without `proved` only what is enforced is looked at. They say of whom and where,
    and of no event. Cost: O(invariants), and as much for each cell that items came into.
    """
    yield from _of_job(before, after, proved=proved)
    if before is not None and before.items is after.items:
        return
    there = {} if before is None else before.ledgers
    for name, ledger in after.ledgers.items():
        for broken, members in _of_members(there.get(name), ledger, proved=proved):
            broken.subject = items_of(after, members)
            yield broken


def _of_job(before: JobState | None, after: JobState, *, proved: bool) -> Iterator[InvariantBroken]:
    machine = after.machine
    asked = _asked(machine, after.phase, proved=proved)
    if not asked:
        return
    context = after.guarded
    broken = [one for one in asked if not one.holds(after.phase, context)]
    was = {} if before is None or not broken else before.guarded
    for one in broken:
        if before is None or _held(before.machine, one.name, before.phase, was):
            error = machine.broken(one, after.phase, context)
            error.subject = f"job {after.id}"
            yield error


def _of_members(
    before: Ledger | None, after: Ledger, *, proved: bool
) -> Iterator[tuple[InvariantBroken, BitMap]]:
    """What does not hold of members that came into their cell, and held before; and of whom."""
    machine = after.machine
    if not machine.watched and not proved:
        return
    known = before.cells if before is not None and before.machine is machine else {}
    for cell, members in after.cells.items():
        had = known.get(cell)
        if had is members:
            continue
        came = members if had is None else members - had
        asked = _asked(machine, cell[0], proved=proved) if came else ()
        if not asked:
            continue
        context = after.context(cell[1])
        for one in asked:
            if not one.holds(cell[0], context):
                whose = came if before is None else _who_held(before, came, one.name)
                if whose:
                    yield machine.broken(one, cell[0], context), whose


def _asked(machine: Machine, state: str, *, proved: bool) -> tuple[Invariant, ...]:
    return (machine.declared if proved else machine.watched).get(state, ())


def _held(machine: Machine, name: str, state: str, context: Values) -> bool:
    holds = machine.invariants.get(name)
    return holds is None or holds(state, context)


def _who_held(ledger: Ledger, members: BitMap, name: str) -> BitMap:
    """Those of `members` of which the invariant held in `ledger`; new ones are among them."""
    for (state, values), there in ledger.cells.items():
        if there.intersect(members) and not _held(
            ledger.machine, name, state, ledger.context(values)
        ):
            members = members - there
    return members


def _told(broken: InvariantBroken, state: JobState, fact: Fact) -> InvariantBroken:
    """The error with the event and the transition that would break it."""
    if not isinstance(fact, JobFired | ItemsFired):
        broken.reason = "the items to be added"
        return broken
    step, moved = trace(state, fact)
    broken.event = fact.event
    if broken.machine == state.machine.name:
        broken.state, broken.allowed = state.phase, state.machine.allowed(state.phase)
        broken.transition = moved[0].moves[0].transition if step is None else step.transition
    else:
        _tell_move(broken, state, moved)
    return broken


def _tell_move(broken: InvariantBroken, state: JobState, moved: tuple[Moves, ...]) -> None:
    """Fill in by which move members came to where the invariant does not hold."""
    for collection, event, moves in moved:
        machine = state.ledgers[collection].machine
        for move in moves:
            context = dict(zip(machine.owned, move.after[1], strict=True))
            there = machine.name == broken.machine and move.after[0] == broken.target
            read = {name: context.get(name, value) for name, value in broken.values.items()}
            if there and read == broken.values:
                broken.event, broken.transition = event, move.transition
                broken.state = move.before[0]
                broken.allowed = machine.allowed(broken.state)
                return
