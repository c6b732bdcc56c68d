"""How the rows of one machine changed: which old transition became which new one."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from milepost_codegen.diff.implication import direction, normal
from milepost_codegen.diff.report import Change
from milepost_codegen.diff.translate import Dictionary, translate
from milepost_codegen.expressions import to_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from milepost_codegen.diff.implication import Form
    from milepost_codegen.diff.names import MachineNames
    from milepost_codegen.diff.report import Kind, LostArc, Verdict
    from milepost_codegen.model import Machine, Transition

__all__ = ["Row", "aligned", "rows_of", "transition_changes"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A transition in NEW's names; a source, event or target that NEW has no more is `""`.

    `assigned` leaves out what is remembered for histories, which follows from the groups.
    """

    transition: Transition
    source: str
    event: str
    target: str
    guard: Form
    assigned: Mapping[str, str]
    members: frozenset[tuple[str, str, str]]


def rows_of(machine: Machine, own: MachineNames | None, others: Mapping[str, str]) -> list[Row]:
    """The transitions of `machine`; `own` translates, None leaves all as it is.

    `others` maps `COLLECTION.STATE` to the members' state and `COLLECTION:EVENT` to their event
    in NEW.
    """
    return [_row(one, own, others) for one in machine.transitions]


def _row(one: Transition, own: MachineNames | None, others: Mapping[str, str]) -> Row:
    names = Dictionary()
    if own is not None:
        fields = own.fields.get(one.event, {})
        names = Dictionary(entries=own.entries, fields=fields, states=own.states)
    assigned = {
        names.entries.get(part.name, part.name): to_text(translate(part.value, names))
        for part in one.assignments
        if not part.name.startswith("history.")
    }
    return Row(
        transition=one,
        source=one.source if own is None else own.states.get(one.source, ""),
        event=one.event if own is None else own.events.get(one.event, ""),
        target=one.target if own is None else own.states.get(one.target, ""),
        guard=normal(None if one.guard is None else translate(one.guard, names)),
        assigned=assigned,
        members=frozenset(
            (
                part.collection,
                others.get(f"{part.collection}.{part.state}", part.state),
                others.get(f"{part.collection}:{part.event}", part.event),
            )
            for part in one.members
        ),
    )


def aligned(
    old: Sequence[Row], new: Sequence[Row]
) -> tuple[list[tuple[Row, Row]], list[Row], list[Row]]:
    """Old rows with what became of them, old rows that are gone, and rows that are new.

    Rows stay within their pair. Those to the same target go together, by guard and then by id;
    what is left over goes together if the guard is the same. The only row of a pair is what became
    of the only row that the pair had.
    """
    pairs: defaultdict[tuple[str, str], tuple[list[Row], list[Row]]]
    pairs = defaultdict(lambda: ([], []))
    gone = {id(row) for row in old if not (row.source and row.event)}
    for row in old:
        if row.source and row.event:
            pairs[row.source, row.event][0].append(row)
    for row in new:
        pairs[row.source, row.event][1].append(row)
    together: list[tuple[Row, Row]] = []
    for before, after in pairs.values():
        if len(before) == len(after) == 1:
            together.append((before.pop(), after.pop()))
        for alike in (_equal, _same_id, _same_target, _moved):
            for row in list(before):
                found = next((one for one in after if alike(row, one)), None)
                if found:
                    together.append((row, found))
                    before.remove(row)
                    after.remove(found)
        gone |= {id(row) for row in before}
    added = [row for _, after in pairs.values() for row in after]
    order = {id(row): index for index, row in enumerate(new)}
    return (
        sorted(together, key=lambda one: order[id(one[1])]),
        [row for row in old if id(row) in gone],
        sorted(added, key=lambda row: order[id(row)]),
    )


def _equal(old: Row, new: Row) -> bool:
    return old.target == new.target and old.guard == new.guard


def _same_id(old: Row, new: Row) -> bool:
    return old.target == new.target and old.transition.id == new.transition.id


def _same_target(old: Row, new: Row) -> bool:
    return old.target == new.target


def _moved(old: Row, new: Row) -> bool:
    return old.guard == new.guard


def transition_changes(
    machine: str,
    old: Sequence[Row],
    new: Sequence[Row],
    names: MachineNames,
    lost: Mapping[str, LostArc],
) -> Iterator[Change]:
    """Every change of the rows; `lost` has the arc that each old transition's id stands for."""
    together, gone, added = aligned(old, new)
    for row in gone:
        arc = lost.get(row.transition.id)
        yield Change(
            part="ignored" if row.transition.ignored else "transition",
            kind="removed",
            machine=machine,
            name=row.transition.id,
            text=_leads(row),
            verdict=arc.verdict if arc else "compatible",
            because=arc.because if arc else "another row still allows it",
            old=row.transition.place,
        )
    for before, after in together:
        arc = lost.get(before.transition.id)
        found = list(_differences(machine, before, after, names, arc))
        yield from found
        if arc is not None and all(one.verdict != arc.verdict for one in found):
            yield _effect(machine, before.transition, after.transition, arc)
    for row in added:
        yield Change(
            part="ignored" if row.transition.ignored else "transition",
            kind="added",
            machine=machine,
            name=row.transition.id,
            text=_leads(row),
            new=row.transition.place,
        )


def _effect(machine: str, before: Transition, after: Transition, arc: LostArc) -> Change:
    """That a row does something else although it is written as it was."""
    return Change(
        part="ignored" if after.ignored else "transition",
        kind="changed",
        machine=machine,
        name=after.id,
        aspect="effect",
        text="by other rows, or by what it reads",
        verdict=arc.verdict,
        because=arc.because,
        old=before.place,
        new=after.place,
    )


def _differences(
    machine: str, old: Row, new: Row, names: MachineNames, arc: LostArc | None
) -> Iterator[Change]:
    """The changes of one row, one for each aspect."""
    lost: Verdict = arc.verdict if arc else "compatible"
    because = arc.because if arc else ""
    before, after = old.transition, new.transition

    def change(
        aspect: str, text: str, verdict: Verdict, why: str, kind: Kind = "changed"
    ) -> Change:
        return Change(
            part="ignored" if after.ignored else "transition",
            kind=kind,
            machine=machine,
            name=after.id,
            aspect=aspect,
            text=text,
            verdict=verdict,
            because=why,
            old=before.place,
            new=after.place,
        )

    if before.ignored != after.ignored:
        text = "was a row, is ignored" if after.ignored else "was ignored, is a row"
        yield change("ignored", text, "compatible", "")
    if old.target != new.target:
        text = f"{before.target} -> {after.target}"
        yield change("target", text, lost, because, kind="moved")
    found = direction(old.guard, new.guard)
    if found != "same":
        text = f"{_guard(before)} -> {_guard(after)}"
        if _guard(before) == _guard(after):
            text = f"{_guard(after)}, by what it names"
        if found == "changed":
            text += " (direction unknown)"
        yield change("guard", text, lost, because, kind=found)
    if old.assigned != new.assigned:
        differ = {
            name
            for name in {*old.assigned, *new.assigned}
            if old.assigned.get(name) != new.assigned.get(name)
        }
        known = {variable for variable in differ if variable in names.variables.values()}
        verdict: Verdict = "compatible"
        if known:
            verdict = "migrated" if known <= names.values else lost
        why = "recorded histories give other values" if verdict == "breaking" else ""
        yield change("set", f"{_set(old)} -> {_set(new)}", verdict, why)
    if old.members != new.members:
        yield change("members", f"{_members(old)} -> {_members(new)}", lost, because)
    if after.id != _expected(old) and before.id != after.id and not after.ignored:
        yield change("id", f"{before.id} -> {after.id}", "compatible", "", kind="renamed")


def _expected(row: Row) -> str:
    """The id that the row has in NEW if nothing but names changed."""
    one = row.transition
    plain = f"{one.source}.{one.event}"
    return row.transition.id.replace(plain, f"{row.source}.{row.event}", 1)


def _leads(row: Row) -> str:
    one = row.transition
    if one.ignored:
        return f"{one.event} in {one.source}"
    guard = "" if one.written is None else f" [{to_text(one.written)}]"
    return f"{one.source} -> {one.target} on {one.event}{guard}"


def _guard(one: Transition) -> str:
    return "always" if one.guard is None else to_text(one.guard)


def _set(row: Row) -> str:
    return "; ".join(f"{name} = {value}" for name, value in row.assigned.items()) or "nothing"


def _members(row: Row) -> str:
    listed = sorted(f"{owner}.{state}: {event}" for owner, state, event in row.members)
    return "; ".join(listed) or "nothing"
