"""What the changes of one machine do to stored jobs: states, recorded histories, contexts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

from milepost_codegen.diff.judged import item_of
from milepost_codegen.diff.report import Lacking, LostArc, Question, Stranded, Unmet, covered
from milepost_codegen.diff.witness import step_of, stored_job

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from milepost_codegen.diff.judged import Item, Judged
    from milepost_codegen.diff.names import MachineNames
    from milepost_codegen.diff.replay import Aspect, Difference
    from milepost_codegen.diff.report import Why
    from milepost_codegen.expressions import Type
    from milepost_codegen.model import Machine, Transition

__all__ = [
    "by_transition",
    "lacking_values",
    "lost_arcs",
    "questions",
    "reachable_states",
    "stranded_states",
    "unmet_claims",
]

_GRAVITY: Final[Mapping[Aspect, int]] = {
    "refused": 0,
    "elsewhere": 1,
    "members": 2,
    "values": 3,
    "unknown": 4,
}
_WHY: Final[Mapping[Aspect, Why]] = {
    "refused": "narrowed",
    "elsewhere": "moved",
    "members": "members",
    "values": "values",
    "unknown": "changed",
}


def reachable_states(machine: Machine) -> frozenset[str]:
    """The states that a run may reach; guards are taken to allow everything."""
    reached, pending = {machine.initial}, [machine.initial]
    while pending:
        source = pending.pop()
        for one in machine.transitions:
            if one.source == source and one.target not in reached:
                reached.add(one.target)
                pending.append(one.target)
    return frozenset(reached)


def stranded_states(old: Machine, names: MachineNames) -> tuple[Stranded, ...]:
    """The reachable states of OLD that are not in NEW and not renamed."""
    reached = reachable_states(old)
    return tuple(
        Stranded(
            state=state.name,
            target=names.answered_states.get(state.name, ""),
            verdict=covered(by_migration=state.name in names.answered_states),
        )
        for state in old.states
        if state.name in reached and state.name not in names.states
    )


def lost_arcs(found: Judged, later: Machine, names: MachineNames) -> tuple[LostArc, ...]:
    """The arcs of OLD that NEW does not take in every case as OLD did, in OLD's order.

    An arc is taken to NEW by the migration's answers, else by `was` and equal names. The
    transitions that make an arc are told together, those of them that differ.
    """
    arcs: dict[tuple[str, str, str], list[Difference]] = {}
    for one in found.differences:
        arc = one.row.source, one.row.event, one.row.target
        arcs.setdefault(arc, []).append(one)
    order = {(one.source, one.event, one.target): at for at, one in _reversed(found)}
    return tuple(
        _lost(found, arc, arcs[arc], later, names) for arc in sorted(arcs, key=order.__getitem__)
    )


def _reversed(found: Judged) -> list[tuple[int, Transition]]:
    """The transitions of OLD with their places, so that the first of an arc gives its place."""
    return list(enumerate(found.space.old.transitions))[::-1]


def _lost(
    found: Judged,
    arc: tuple[str, str, str],
    differing: Sequence[Difference],
    later: Machine,
    names: MachineNames,
) -> LostArc:
    source, event, target = arc
    pair = names.moved_states.get(source, ""), names.moved_events.get(event, "")
    targets = sorted({one.target for one in later.pairs.get(pair, ())})
    moved = names.moved_states.get(target, "")
    counted = [one for one in differing if ("row", one.row.id) in found.breaking] or list(differing)
    first = min(counted, key=lambda one: _GRAVITY[one.aspect])
    why: Why = _WHY[first.aspect]
    if not targets:
        why = "removed"
    elif moved not in targets:
        why = "elsewhere"
    elsewhere = [first.after.target] if first.after is not None else []
    return LostArc(
        source=source,
        event=event,
        target=target,
        ids=tuple(dict.fromkeys(one.row.id for one in differing)),
        why=why,
        verdict=covered(
            by_migration=all(("row", one.row.id) not in found.breaking for one in differing)
        ),
        because=_because(why, targets if why == "elsewhere" else elsewhere),
        place=next(
            one.place
            for one in found.space.old.transitions
            if (one.source, one.event, one.target) == arc
        ),
        witness=None
        if first.model is None
        else step_of(found.space, first.row, first.after, first.model),
    )


def _because(why: Why, targets: Sequence[str]) -> str:
    match why:
        case "removed":
            return "recorded histories with it become illegal"
        case "elsewhere" | "moved":
            return f"recorded histories with it would now lead to {', '.join(targets)}"
        case "narrowed":
            return "recorded histories may hold it where it is refused now"
        case "values":
            return "recorded histories give other values"
        case "members":
            return "recorded histories send other events to members"
        case _:
            return "whether recorded histories stay legal cannot be told"


def unmet_claims(found: Judged) -> tuple[Unmet, ...]:
    """What NEW asks for and a stored job may not satisfy, the first job of each."""
    unmet: dict[Item, Unmet] = {}
    for one in found.unlawful:
        item = item_of(one)
        unmet.setdefault(
            item,
            Unmet(
                name=one.part.name,
                part="parameter" if item[0] == "parameter" else "invariant",
                verdict=covered(by_migration=item not in found.breaking),
                witness=None
                if one.model is None
                else stored_job(found.space, one.state or found.space.old.initial, one.model),
            ),
        )
    return tuple(unmet.values())


def lacking_values(old: Machine, new: Machine, names: MachineNames) -> tuple[Lacking, ...]:
    """What the context of NEW holds that stored jobs have not, or not of a type that fits."""
    before = {
        names.variables[variable.name]: variable
        for variable in old.variables
        if variable.name in names.variables
    }
    found: list[Lacking] = []
    for variable in new.variables:
        known = before.get(variable.name)
        fits = known is not None and _fits(known.type, variable.type)
        defaulted = known is None and variable.param and variable.initial is not None
        if not fits and not defaulted:
            verdict = covered(by_migration=variable.name in names.values)
            part: Literal["parameter", "variable"] = "parameter" if variable.param else "variable"
            found.append(Lacking(name=variable.name, part=part, verdict=verdict))
    remembered = {history.group: history for history in old.histories}
    for history in new.histories:
        past = remembered.get(history.group)
        kept = {names.moved_states.get(state, "") for state in past.states} if past else {""}
        if not kept <= set(history.states):
            verdict = covered(by_migration=history.entry in names.values)
            found.append(Lacking(name=history.entry, part="history", verdict=verdict))
    return tuple(found)


def _fits(old: Type, new: Type) -> bool:
    """True if every value of the one type is a value of the other."""
    return old.name == new.name and set(old.members) <= set(new.members)


def questions(
    old: Machine,
    stranded: Sequence[Stranded],
    lacking: Sequence[Lacking],
    names: MachineNames,
) -> tuple[Question, ...]:
    """All that a migration must say about the machine, answered or not."""
    answers = {one.name: "given" for one in (names.answers.values if names.answers else ())}
    found = [
        Question(section="states", machine=old.name, name=one.state, answer=one.target)
        for one in stranded
    ]
    found += [
        Question(
            section="context", machine=old.name, name=one.name, answer=answers.get(one.name, "")
        )
        for one in lacking
    ]
    used = {one.event for one in old.transitions}
    found += [
        Question(
            section="events",
            machine=old.name,
            name=event.name,
            answer=names.answered_events.get(event.name, ""),
        )
        for event in old.events
        if event.name in used and event.name not in names.events
    ]
    return tuple(found)


def by_transition(lost: Sequence[LostArc]) -> Mapping[str, LostArc]:
    """The lost arc of each old transition, by the transition's id."""
    return {name: arc for arc in lost for name in arc.ids}
