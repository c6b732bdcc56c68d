"""A refusal of the definition in the words of a departure."""

from __future__ import annotations

from milepost.conformance.departures import Departs, GuardSaid, Kind
from milepost.definition import Allowed, Machine, Refused

__all__ = ["refused"]


def refused(
    why: Refused, machine: Machine, state: str, allowed: Allowed, ordinals: tuple[int, ...] = ()
) -> Departs:
    """The departure of whoever took an event that the definition refuses, where others may come."""
    kind: Kind = "refused"
    guards = tuple(GuardSaid(row=one.row, guard=one.guard, values=one.values) for one in why.tried)
    if why.payload:
        kind, problem = "payload", f"the payload of '{why.event}' does not fit: {why.payload}"
    elif why.several:
        rows = " and ".join(why.several)
        problem = f"in '{state}' several rows take '{why.event}' at once: {rows}"
    elif why.event not in machine.events:
        problem = f"machine '{machine.name}' has no event '{why.event}'"
    elif guards:
        problem = f"in '{state}' no guard of '{why.event}' holds"
    else:
        problem = f"in '{state}' there is no row for '{why.event}'"
    return Departs(
        kind,
        problem,
        state=state,
        ordinals=ordinals,
        allowed=allowed,
        guards=guards,
    )
