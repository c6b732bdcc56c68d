"""Rewinding: the state before a phase was entered, and what leads from there into it again."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from milepost.errors import RoleAbsent, ScopeInvalid
from milepost.job.fold import apply, takes
from milepost.job.state import JobState
from milepost.log.facts import Draft, ItemsAdded, ItemsFired, JobFired, MembersAdded, Rewound
from milepost.machine import Machine
from milepost.state.reading.loading import JobLog
from milepost.state.reading.spanned import lineage
from milepost.text.wording import short_repr

__all__ = ["WayBack", "before_phase"]


@short_repr
class WayBack(NamedTuple):
    """A state to go back to, and the facts that follow on it to begin a phase again."""

    base: JobState
    again: tuple[Draft, ...] = ()


def before_phase(log: JobLog, tip: JobState, phase: str) -> WayBack | None:
    """The way back to the beginning of `phase`; None if nothing has happened since.

    A phase is entered from any other state: but neither a resumed nor a retried job enters it. Of
    several times the last is meant that no rewind has undone. Cost: one pass over the tallies,
    and the log from the checkpoint before the one commit that is looked for; the heads since, if
    items were added since: those stay, if the phase takes items. Raises ScopeInvalid if the job
    was never in that phase, RoleAbsent where the lifecycle names no phases.
    """
    way = _way_back(log, tip, phase)
    return None if way is None else _with_items(log, tip, way)


def _way_back(log: JobLog, tip: JobState, phase: str) -> WayBack | None:
    active = tip.roles.working
    if not active:
        raise RoleAbsent.at(tip.lifecycle, tip.machine, "phases", "doing a phase again")
    if phase not in active:
        problem = (
            f"{phase!r} is no phase that can be done again, as {', '.join(active)} are: name one of"
            " these"
        )
        raise ScopeInvalid(problem=problem)
    if phase == tip.machine.initial:
        return WayBack(log.state_at(1)) if tip.seq > 1 else None
    entering = _entering(tip.machine, phase)
    for seq in reversed(list(_turning_points(log, tip))):
        way = _entry(log, seq, phase, entering)
        if way is not None:
            return way
    raise ScopeInvalid(
        problem=f"job {tip.id} has not been in {phase!r} yet: it is in {tip.phase}; name that,"
        " or one before it"
    )


def _entering(machine: Machine, phase: str) -> set[tuple[str, str]]:
    """The states and events by which the job enters `phase`, and does not go on in it."""
    roles = machine.roles
    return {
        (row.source, row.event)
        for row in machine.transitions
        if row.target == phase != row.source
        and not row.history
        and row.source not in roles.paused
        and row.event != roles.resume.get(row.source)
    }


def _turning_points(log: JobLog, tip: JobState) -> Iterator[int]:
    """The commits that the state stands on and after which the job is in another phase."""
    rewound = {at for at, _ in tip.rewinds}
    for first, last in lineage(tip):
        phase = ""
        for row in log.rows(first - 1, last):
            tally = log.tally(row)
            if tally.phase != phase or row.seq in rewound:
                yield row.seq
            phase = tally.phase


def _entry(
    log: JobLog,
    seq: int,
    phase: str,
    entering: set[tuple[str, str]],
) -> WayBack | None:
    """The way back from the commit `seq`, if the job entered `phase` in it."""
    events = {event for _, event in entering}
    row = next(iter(log.rows(seq - 1, seq, bodies=True)))
    facts = log.facts(row)
    if not any(isinstance(fact, JobFired) and fact.event in events for fact in facts):
        return None
    bodies = log.bodies(row) or [None] * len(facts)
    drafts = [Draft(fact=fact, body=body) for fact, body in zip(facts, bodies, strict=True)]
    first, before = 0, seq - 1
    for index, fact in enumerate(facts):
        if isinstance(fact, Rewound):
            first, before = index + 1, fact.to_seq
    base = log.state_at(before)
    if base.as_logged is not None:
        problem = f"job {base.id} entered {phase!r} under an earlier version of its lifecycle"
        raise ScopeInvalid(problem=f"{problem}: go back to seq {before} instead")
    state, again = base, list[Draft]()
    for draft in drafts[first:]:
        if not isinstance(draft.fact, JobFired | ItemsFired | ItemsAdded | MembersAdded):
            continue
        again.append(draft)
        came_from, state = state.phase, apply(state, draft.fact)
        fact = draft.fact
        entered = isinstance(fact, JobFired) and (came_from, fact.event) in entering
        if entered and state.phase == phase:
            return WayBack(base, tuple(again))
    return None


def _with_items(log: JobLog, tip: JobState, way: WayBack) -> WayBack:
    """The way with the items of `tip` that were added after it, if they can be."""
    state = way.base
    for draft in way.again:
        state = apply(state, draft.fact)
    again = list(way.again)
    for first, last in lineage(tip) if state.items.count < tip.items.count else ():
        for row in log.rows(max(first - 1, way.base.seq), last):
            for fact in log.facts(row):
                if not isinstance(fact, ItemsAdded | MembersAdded):
                    continue
                if fact.first != state.items.count:
                    continue
                if not takes(state, fact):
                    return way
                again.append(Draft(fact=fact))
                state = apply(state, fact)
    return WayBack(way.base, tuple(again))
