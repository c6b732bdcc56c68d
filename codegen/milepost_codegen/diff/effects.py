"""What the changes of one machine do to stored jobs: states, recorded histories, contexts."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Literal

from milepost_codegen.diff.implication import direction, either
from milepost_codegen.diff.report import Lacking, LostArc, Question, Stranded, covered

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from milepost_codegen.diff.names import MachineNames
    from milepost_codegen.diff.transitions import Row
    from milepost_codegen.expressions import Type
    from milepost_codegen.model import Machine

__all__ = [
    "by_transition",
    "lacking_values",
    "lost_arcs",
    "questions",
    "reachable_states",
    "stranded_states",
]


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


def lost_arcs(
    old: Sequence[Row], new: Sequence[Row], names: MachineNames, reached: frozenset[str]
) -> tuple[LostArc, ...]:
    """The arcs of OLD that NEW does not allow at all, or not whenever OLD did.

    An arc is taken to NEW by the migration's answers, else by `was` and equal names. The guards
    of all transitions that make the arc count together.
    """
    allowed: defaultdict[tuple[str, str], defaultdict[str, list[Row]]]
    allowed = defaultdict(lambda: defaultdict(list))
    for row in new:
        allowed[row.source, row.event][row.target].append(row)
    arcs: dict[tuple[str, str, str], list[Row]] = {}
    for row in old:
        one = row.transition
        if one.source in reached:
            arcs.setdefault((one.source, one.event, one.target), []).append(row)
    found: list[LostArc] = []
    for (source, event, target), rows in arcs.items():
        pair = names.moved_states.get(source, ""), names.moved_events.get(event, "")
        after = allowed[pair].get(names.moved_states.get(target, ""), [])
        why = _why(rows, after, others=bool(allowed[pair]))
        if why is None:
            continue
        ids = tuple(row.transition.id for row in rows)
        by_migration = _answered(source, target, names) or names.retired.issuperset(ids)
        found.append(
            LostArc(
                source=source,
                event=event,
                target=target,
                ids=ids,
                why=why,
                verdict=covered(by_migration=by_migration),
                because=_because(why, sorted(allowed[pair])),
                place=rows[0].transition.place,
            )
        )
    return tuple(found)


def _why(
    before: Sequence[Row], after: Sequence[Row], *, others: bool
) -> Literal["removed", "elsewhere", "narrowed", "changed"] | None:
    if not after:
        return "elsewhere" if others else "removed"
    shown = direction(either([row.guard for row in before]), either([row.guard for row in after]))
    return (
        None if shown in ("same", "widened") else "narrowed" if shown == "narrowed" else "changed"
    )


def _answered(source: str, target: str, names: MachineNames) -> bool:
    """True if the migration moves an end of the arc, and leaves none that is gone."""
    moved = {old for old, new in names.answered_states.items() if names.states.get(old) != new}
    ends = {source, target}
    return bool(ends & moved) and ends <= moved | set(names.states)


def _because(why: str, targets: Sequence[str]) -> str:
    match why:
        case "removed":
            return "recorded histories with it become illegal"
        case "elsewhere":
            return f"recorded histories with it would now lead to {', '.join(targets)}"
        case "narrowed":
            return "recorded histories may hold it where it is refused now"
        case _:
            return "whether recorded histories stay legal cannot be told"


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
