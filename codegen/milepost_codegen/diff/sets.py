"""How what is made of names changed: enums, groups, histories, guards, collections, invariants."""

from __future__ import annotations

from typing import TYPE_CHECKING

from milepost_codegen.diff.implication import direction, normal
from milepost_codegen.diff.report import Change, covered, worst
from milepost_codegen.diff.translate import Dictionary, translate
from milepost_codegen.expressions import to_text
from milepost_codegen.model import guards_in

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from collections.abc import Set as AbstractSet

    from milepost_codegen.diff.names import MachineNames
    from milepost_codegen.diff.report import Direction, Lacking, LostArc, Unmet, Verdict
    from milepost_codegen.model import Collection, Guard, Lifecycle, Machine

__all__ = [
    "collection_changes",
    "enum_changes",
    "group_changes",
    "guard_changes",
    "invariant_changes",
]


def enum_changes(old: Lifecycle, new: Lifecycle) -> Iterator[Change]:
    """Enums and their members; what loses a member is judged where the enum is used."""
    before = {enum.type.name: enum for enum in old.enums}
    for enum in new.enums:
        name = enum.type.name
        was = before.get(name)
        if was is None:
            yield Change(part="enum", kind="added", machine="", name=name, new=enum.place)
            continue
        added = [one for one in enum.type.members if one not in was.type.members]
        gone = [one for one in was.type.members if one not in enum.type.members]
        for kind, members in (("added", added), ("removed", gone)):
            for member in members:
                yield Change(
                    part="enum",
                    kind="added" if kind == "added" else "removed",
                    machine="",
                    name=f"{name}.{member}",
                    aspect="member",
                    old=was.place,
                    new=enum.place,
                )
    kept = {enum.type.name for enum in new.enums}
    for enum in old.enums:
        if enum.type.name not in kept:
            yield Change(
                part="enum", kind="removed", machine="", name=enum.type.name, old=enum.place
            )


def group_changes(
    old: Machine, new: Machine, names: MachineNames, lacking: Sequence[Lacking]
) -> Iterator[Change]:
    """Groups, and histories that stored jobs cannot know."""
    before = {group.name: group for group in old.groups}
    for group in new.groups:
        was = before.pop(group.name, None)
        if was is None:
            text = ", ".join(group.states)
            yield Change(
                part="group",
                kind="added",
                machine=new.name,
                name=group.name,
                text=text,
                new=group.place,
            )
            continue
        members = {names.states.get(state, state) for state in was.states}
        if members != set(group.states):
            signs = [f"+{state}" for state in group.states if state not in members]
            signs += [
                f"-{state}"
                for state in was.states
                if names.states.get(state, state) not in group.states
            ]
            yield Change(
                part="group",
                kind="changed",
                machine=new.name,
                name=group.name,
                aspect="states",
                text=" ".join(signs),
                old=was.place,
                new=group.place,
            )
    for group in before.values():
        yield Change(
            part="group", kind="removed", machine=new.name, name=group.name, old=group.place
        )
    places = {group.name: group.place for group in new.groups}
    yield from _beginnings(old, new, names, {one.name for one in lacking})
    remembered = {history.entry for history in old.histories}
    for one in lacking:
        if one.part == "history":
            yield Change(
                part="history",
                kind="changed" if one.name in remembered else "added",
                machine=new.name,
                name=one.name,
                verdict=one.verdict,
                because="stored jobs may remember no member of it",
                new=places[one.name.partition(".")[2]],
            )


def _beginnings(
    old: Machine, new: Machine, names: MachineNames, lacking: AbstractSet[str]
) -> Iterator[Change]:
    """Histories that begin with another state: what is led to before a group was ever left."""
    before = {history.group: history for history in old.histories}
    places = {group.name: group.place for group in new.groups}
    for history in new.histories:
        was = before.get(history.group)
        same = was is not None and names.moved_states.get(was.initial) == history.initial
        if was is None or same or history.entry in lacking:
            continue
        yield Change(
            part="history",
            kind="changed",
            machine=new.name,
            name=history.entry,
            aspect="default",
            text=f"{was.initial} -> {history.initial}",
            verdict=covered(by_migration=history.entry in names.values),
            because="recorded histories begin with the old value",
            new=places[history.group],
        )


def guard_changes(
    old: Machine, new: Machine, names: MachineNames, lost: Mapping[str, LostArc]
) -> Iterator[Change]:
    """Named guards; a change is as bad as what it does to the transitions that use the guard."""
    before = {guard.name: guard for guard in old.guards}
    for guard in new.guards:
        was = before.pop(guard.name, None)
        if was is None:
            text = to_text(guard.body)
            yield Change(
                part="guard",
                kind="added",
                machine=new.name,
                name=guard.name,
                text=text,
                new=guard.place,
            )
            continue
        found = _direction(was, guard, names)
        if found != "same":
            yield Change(
                part="guard",
                kind=found,
                machine=new.name,
                name=guard.name,
                text=f"{to_text(was.body)} -> {to_text(guard.body)}"
                + (" (direction unknown)" if found == "changed" else ""),
                verdict=_verdict(was, old, lost),
                because="transitions use it",
                old=was.place,
                new=guard.place,
            )
    for guard in before.values():
        yield Change(
            part="guard",
            kind="removed",
            machine=new.name,
            name=guard.name,
            verdict=_verdict(guard, old, lost),
            because="transitions use it",
            old=guard.place,
        )


def _direction(old: Guard, new: Guard, names: MachineNames) -> Direction:
    dictionary = Dictionary(entries=names.entries, states=names.states)
    return direction(
        normal(translate(old.body, dictionary)), normal(translate(new.body, Dictionary()))
    )


def _verdict(guard: Guard, old: Machine, lost: Mapping[str, LostArc]) -> Verdict:
    users = [one.id for one in old.transitions if guard.name in guards_in(one.guard)]
    return worst(lost[one].verdict for one in users if one in lost)


def collection_changes(
    old: Machine, new: Machine, names: Mapping[str, MachineNames], bare: AbstractSet[str]
) -> Iterator[Change]:
    """Collections, and which events their members may take in which state of the owner.

    `bare` are the machines that cannot begin without parameters.
    """
    before = {collection.name: collection for collection in old.collections}
    for collection in new.collections:
        was = before.pop(collection.name, None)
        if was is None:
            yield _collection(new.name, "added", collection, bare=collection.machine in bare)
        elif was.machine != collection.machine:
            yield Change(
                part="collection",
                kind="changed",
                machine=new.name,
                name=collection.name,
                aspect="machine",
                text=f"{was.machine} -> {collection.machine}",
                verdict="breaking",
                because="stored members are of another kind",
                old=was.place,
                new=collection.place,
            )
        else:
            yield from _accepts(new.name, was, collection, names)
            yield from _grows(new.name, was, collection, names[new.name])
    for collection in before.values():
        yield _collection(new.name, "removed", collection)


def _collection(machine: str, kind: str, collection: Collection, *, bare: bool = False) -> Change:
    added = kind == "added"
    lost = "stored jobs have no parameters for its members" if bare else ""
    return Change(
        part="collection",
        kind="added" if added else "removed",
        machine=machine,
        name=collection.name,
        text=f"of {collection.machine}",
        verdict="compatible" if added and not bare else "breaking",
        because=lost if added else "stored jobs lose their members",
        old=None if added else collection.place,
        new=collection.place if added else None,
    )


def _accepts(
    machine: str, old: Collection, new: Collection, names: Mapping[str, MachineNames]
) -> Iterator[Change]:
    own, members = names[machine], names.get(new.machine)
    after = {(state, event) for state, events in new.accepts for event in events}
    known: set[tuple[str, str]] = set()
    for state, events in old.accepts:
        for event in events:
            kept = own.states.get(state, ""), members.events.get(event, "") if members else ""
            moved = (
                own.moved_states.get(state, ""),
                members.moved_events.get(event, "") if members else "",
            )
            known.add(kept)
            if not {kept, moved} <= after:  # a stored job in the state is in the one it is moved to
                yield Change(
                    part="accepts",
                    kind="removed",
                    machine=machine,
                    name=f"{old.name}.{event} in {state}",
                    verdict=covered(by_migration=moved in after or state in own.answered_states),
                    because="recorded histories may hold it",
                    old=old.place,
                    new=new.place,
                )
    for state, events in new.accepts:
        for event in events:
            if (state, event) not in known:
                yield Change(
                    part="accepts",
                    kind="added",
                    machine=machine,
                    name=f"{new.name}.{event} in {state}",
                    old=old.place,
                    new=new.place,
                )


def _grows(machine: str, old: Collection, new: Collection, names: MachineNames) -> Iterator[Change]:
    """When members may be added: it binds what is still to come, and nothing that is recorded."""
    before = {names.states[state] for state in old.grows if state in names.states}
    more = [state for state in new.grows if state not in before]
    less = [state for state in before if state not in new.grows]
    if more or less:
        yield Change(
            part="grows",
            kind="changed" if more and less else "widened" if more else "narrowed",
            machine=machine,
            name=new.name,
            text=" ".join((*(f"+{one}" for one in more), *(f"-{one}" for one in sorted(less))))
            + (" (members that are there already stay)" if less else ""),
            old=old.place,
            new=new.place,
        )


def invariant_changes(
    old: Machine, new: Machine, names: MachineNames, unmet: Sequence[Unmet]
) -> Iterator[Change]:
    """Invariants; they are enforced, so what breaks one of NEW cannot go on under it."""
    dictionary = Dictionary(entries=names.entries, states=names.states)
    broken: dict[str, Verdict] = {one.name: one.verdict for one in unmet if one.part == "invariant"}
    before = {invariant.name: invariant for invariant in old.invariants}
    for invariant in new.invariants:
        was = before.pop(invariant.name, None)
        verdict: Verdict = broken.get(invariant.name, "compatible")
        because = "stored jobs may break it" if invariant.name in broken else ""
        if was is None:
            yield Change(
                part="invariant",
                kind="added",
                machine=new.name,
                name=invariant.name,
                text=to_text(invariant.holds),
                verdict=verdict,
                because=because,
                new=invariant.place,
            )
            continue
        found = direction(
            normal(translate(was.holds, dictionary)),
            normal(translate(invariant.holds, Dictionary())),
        )
        where = None if was.states is None else {names.states.get(one, one) for one in was.states}
        here = None if invariant.states is None else set(invariant.states)
        if found != "same" or where != here or invariant.name in broken:
            text = "holds in other states" if where != here else ""
            if found != "same":
                text = f"{to_text(was.holds)} -> {to_text(invariant.holds)}"
            yield Change(
                part="invariant",
                kind="changed" if found == "same" else found,
                machine=new.name,
                name=invariant.name,
                text=text,
                verdict=verdict,
                because=because,
                old=was.place,
                new=invariant.place,
            )
    for invariant in before.values():
        yield Change(
            part="invariant",
            kind="removed",
            machine=new.name,
            name=invariant.name,
            old=invariant.place,
        )
