"""When an owner's collections grow: as written, or as it follows from what the owner accepts."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from milepost_codegen.definition import LifecycleFile
    from milepost_codegen.model import Collection, Machine
    from milepost_codegen.resolve.reporter import Reporter

__all__ = ["inferred_growth", "resolve_growth"]


def resolve_growth(
    written: LifecycleFile, machines: Sequence[Machine], reporters: Mapping[str, Reporter]
) -> tuple[Machine, ...]:
    """The machines, each collection with the states in which it grows.

    Reports unknown states, final ones, and those that are listed twice.
    """
    members = {machine.name: machine for machine in machines}
    return tuple(
        replace(
            machine,
            collections=tuple(
                replace(one, grows=_growth(written, machine, one, members, reporters[machine.name]))
                for one in machine.collections
            ),
        )
        for machine in machines
    )


def inferred_growth(owner: Machine, collection: Collection, member: Machine) -> tuple[str, ...]:
    """The states of `owner` in which `collection` grows where the definition does not say.

    The initial one, and those that accept every event that a new member could take: what it
    begins with is to be taken. No final one.
    """
    begins = {one.event for one in member.transitions if one.source == member.initial}
    accepts = dict(collection.accepts)
    return tuple(
        state.name
        for state in owner.states
        if not state.final
        and (state.name == owner.initial or begins.issubset(accepts.get(state.name, ())))
    )


def _growth(
    written: LifecycleFile,
    owner: Machine,
    collection: Collection,
    members: Mapping[str, Machine],
    reporter: Reporter,
) -> tuple[str, ...]:
    names = written.machines[owner.name].collections[collection.name].grows
    if names is None:
        return inferred_growth(owner, collection, members[collection.machine])
    own = {state.name: (state.name,) for state in owner.states}
    sets = {**{group.name: group.states for group in owner.groups}, **own}
    found: dict[str, str] = {}
    for index, name in enumerate(names):
        path = ("machines", owner.name, "collections", collection.name, "grows", index)
        known = reporter.lookup("state", name, sets, reporter.source.at(*path))
        states = sets[known] if known else ()
        twice = [state for state in states if state in found]
        ended = [state for state in states if state in owner.final]
        if twice:
            by = "" if found[twice[0]] == twice[0] else f" by '{found[twice[0]]}'"
            message = f"'{twice[0]}' is listed already{by}"
            reporter.report("E415", path, message, "say each state once")
        if ended:
            message = f"'{ended[0]}' is final: nothing is added to what has ended"
            reporter.report("E415", path, message, "leave it out")
        found = dict.fromkeys(states, name) | found
    return tuple(state.name for state in owner.states if state.name in found)
