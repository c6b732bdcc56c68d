"""How many dead members a job may complete with: asked of its guards, whatever they are called."""

from __future__ import annotations

from milepost.job.state import JobState
from milepost.machine import TransitionRefused, Values
from milepost.roles import Outcome, Phase

__all__ = ["dead_allowed"]


def dead_allowed(state: JobState) -> int | None:
    """The most dead members with which the work on them may still end well; None for any number.

    None as well where the lifecycle has no dead members, or where what ends the work depends on
    its payload. The guards of the event that ends the work are asked what they would say if so
    many members were dead and all others done: O(log members) questions.
    """
    for phase in state.roles.phases:
        if any(state.ledgers[name].machine.roles.dead for name in phase.works):
            return _most(state, phase)
    return None


def _most(state: JobState, phase: Phase) -> int | None:
    if state.machine.uses_payload(phase.state, phase.ends_by):
        return None
    total = sum(state.ledgers[name].count for name in phase.works)
    if not _ends_well(state, phase, 0) or _ends_well(state, phase, total):
        return None
    least_refused, most = total, 0
    while least_refused - most > 1:
        middle = (most + least_refused) // 2
        if _ends_well(state, phase, middle):
            most = middle
        else:
            least_refused = middle
    return most


def _ends_well(state: JobState, phase: Phase, dead: int) -> bool:
    """True if the phase would end, and the job would not have failed by it, with so many dead."""
    try:
        row = state.machine.select(phase.state, phase.ends_by, _guarded(state, phase, dead), {})
    except TransitionRefused:
        return False
    return state.roles.outcomes.get(row.target) is not Outcome.FAILED


def _guarded(state: JobState, phase: Phase, dead: int) -> Values:
    """What guards would read if `dead` members were dead and all others that are worked on done."""
    entries = dict(state.guarded)
    for name in phase.works:
        ledger = state.ledgers[name]
        roles, left = ledger.machine.roles, ledger.count
        counts = dict.fromkeys(ledger.machine.states, 0)
        if roles.dead:
            counts[roles.dead[0]] = min(dead, left)
            dead -= counts[roles.dead[0]]
            left -= counts[roles.dead[0]]
        ended = roles.done or roles.skipped
        if ended:
            counts[ended[0]] = left
        entries |= {f"{name}.{each}": count for each, count in counts.items()}
    return entries
