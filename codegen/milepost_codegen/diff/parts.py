"""How the declared parts of a machine changed: states, variables, events and their fields."""

from __future__ import annotations

from typing import TYPE_CHECKING

from milepost_codegen.diff.implication import direction, normal
from milepost_codegen.diff.names import renamed
from milepost_codegen.diff.report import Change, covered
from milepost_codegen.diff.translate import Dictionary, translate
from milepost_codegen.expressions import to_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from milepost_codegen.diff.names import MachineNames
    from milepost_codegen.diff.report import Kind, Lacking, Part, Stranded, Unmet, Verdict
    from milepost_codegen.findings import Place
    from milepost_codegen.model import Event, Field, Machine, State, Variable

__all__ = ["event_changes", "state_changes", "variable_changes"]


def state_changes(
    old: Machine, new: Machine, names: MachineNames, stranded: Sequence[Stranded]
) -> Iterator[Change]:
    """States added, removed and renamed, ends that moved, and another beginning."""
    if names.states.get(old.initial) != new.initial:
        answered = old.initial in names.answered_states
        yield Change(
            part="machine",
            kind="changed",
            machine=new.name,
            name=new.name,
            aspect="initial",
            text=f"{old.initial} -> {new.initial}",
            verdict=covered(by_migration=answered),
            because=f"recorded histories begin in '{old.initial}'",
            old=old.place,
            new=new.place,
        )
    before = {state.name: state for state in old.states}
    yield from _unmatched("state", new.name, old.states, new.states)
    origin = {target: source for source, target in names.states.items()}
    for state in new.states:
        if state.name not in origin:
            yield Change(
                part="state", kind="added", machine=new.name, name=state.name, new=state.place
            )
            continue
        was = before[origin[state.name]]
        if was.name != state.name:
            yield _renaming("state", new.name, was.name, state.name, was.place, state.place)
        if was.final != state.final:
            answered = was.name in names.answered_states
            yield Change(
                part="state",
                kind="changed",
                machine=new.name,
                name=state.name,
                aspect="final",
                text="is final now" if state.final else "is not final any more",
                verdict=covered(by_migration=answered),
                because="stored jobs in it have ended"
                if state.final
                else "stored jobs that had ended are open again",
                old=was.place,
                new=state.place,
            )
    answers = {one.state: one for one in stranded}
    for state in old.states:
        if state.name not in names.states:
            answer = answers.get(state.name)
            yield Change(
                part="state",
                kind="removed",
                machine=new.name,
                name=state.name,
                text=f"-> {answer.target}" if answer and answer.target else "",
                verdict=answer.verdict if answer else "compatible",
                because="stored jobs in it are stranded" if answer else "no run reaches it",
                old=state.place,
            )


def variable_changes(
    old: Machine,
    new: Machine,
    names: MachineNames,
    lacking: Sequence[Lacking],
    unmet: Sequence[Unmet],
) -> Iterator[Change]:
    """Variables and parameters: added, removed, renamed, and what is declared of them."""
    verdicts: dict[str, Verdict] = {one.name: one.verdict for one in lacking}
    before = {variable.name: variable for variable in old.variables}
    yield from _unmatched("variable", new.name, old.variables, new.variables)
    origin = {target: source for source, target in names.variables.items()}
    for variable in new.variables:
        part = _part(variable)
        if variable.name not in origin:
            yield Change(
                part=part,
                kind="added",
                machine=new.name,
                name=variable.name,
                text=_declared(variable),
                verdict=verdicts.get(variable.name, "compatible"),
                because="stored jobs have no value for it" if variable.name in verdicts else "",
                new=variable.place,
            )
            continue
        was = before[origin[variable.name]]
        if was.name != variable.name:
            yield _renaming(part, new.name, was.name, variable.name, was.place, variable.place)
        asked = {one.name: one for one in unmet if one.part == "parameter"}
        yield from _declaration(new.name, was, variable, names, verdicts, asked.get(variable.name))
    for variable in old.variables:
        if variable.name not in names.variables:
            yield Change(
                part=_part(variable),
                kind="removed",
                machine=new.name,
                name=variable.name,
                because="what stored jobs hold of it is dropped",
                old=variable.place,
            )


def _declaration(
    machine: str,
    old: Variable,
    new: Variable,
    names: MachineNames,
    verdicts: Mapping[str, Verdict],
    unmet: Unmet | None,
) -> Iterator[Change]:
    """Changes of one variable's type, kind, beginning and condition."""
    given = covered(by_migration=new.name in names.values)

    def change(aspect: str, text: str, verdict: Verdict, because: str) -> Change:
        return Change(
            part=_part(new),
            kind="changed",
            machine=machine,
            name=new.name,
            aspect=aspect,
            text=text,
            verdict=verdict,
            because=because if verdict != "compatible" else "",
            old=old.place,
            new=new.place,
        )

    if old.type.name != new.type.name:
        text = f"{old.type.name} -> {new.type.name}"
        yield change("type", text, given, "stored values have another type")
    elif new.name in verdicts:
        gone = [member for member in old.type.members if member not in new.type.members]
        text = f"{new.type.name} without {', '.join(gone)}"
        yield change("type", text, given, "stored jobs may hold what is no member any more")
    if old.param != new.param:
        text = "is a parameter now" if new.param else "is a variable now"
        yield change("param", text, given, "stored jobs were created by other parameters")
    elif old.initial != new.initial and old.type.name == new.type.name:
        aspect = "default" if new.param else "initial"
        text = f"{_shown(old.initial)} -> {_shown(new.initial)}"
        why = "recorded histories begin with the old value"
        yield change(aspect, text, "compatible" if old.initial is None else given, why)
    found = direction(
        normal(old.where and translate(old.where, Dictionary(entries=names.entries))),
        normal(new.where and translate(new.where, Dictionary())),
    )
    if found != "same" or unmet is not None:
        text = f"{to_text(old.where) if old.where else 'any'} -> "
        text += to_text(new.where) if new.where else "any"
        yield Change(
            part=_part(new),
            kind="changed" if found == "same" else found,
            machine=machine,
            name=new.name,
            aspect="where",
            text=text,
            verdict=unmet.verdict if unmet else "compatible",
            because="stored jobs may not satisfy it" if unmet else "",
            old=old.place,
            new=new.place,
        )


def event_changes(old: Machine, new: Machine, names: MachineNames) -> Iterator[Change]:
    """Events added, removed and renamed, and the fields of their payloads."""
    before = {event.name: event for event in old.events}
    used = {one.event for one in old.transitions}
    yield from _unmatched("event", new.name, old.events, new.events)
    origin = {target: source for source, target in names.events.items()}
    for event in new.events:
        if event.name not in origin:
            yield Change(
                part="event", kind="added", machine=new.name, name=event.name, new=event.place
            )
            continue
        was = before[origin[event.name]]
        if was.name != event.name:
            yield _renaming("event", new.name, was.name, event.name, was.place, event.place)
        yield from _field_changes(new.name, was, event)
    for event in old.events:
        if event.name not in names.events:
            answer = names.answered_events.get(event.name, "")
            yield Change(
                part="event",
                kind="removed",
                machine=new.name,
                name=event.name,
                text=f"-> {answer}" if answer else "",
                verdict=covered(by_migration=bool(answer)) if event.name in used else "compatible",
                because="recorded histories may hold it",
                old=event.place,
            )


def _field_changes(machine: str, old: Event, new: Event) -> Iterator[Change]:
    names = renamed(old.fields, new.fields)
    before = {field.name: field for field in old.fields}
    origin = {target: source for source, target in names.items()}

    def change(
        kind: Kind, field: Field, aspect: str, text: str, *, breaks: bool, because: str
    ) -> Change:
        return Change(
            part="field",
            kind=kind,
            machine=machine,
            name=f"{new.name if kind != 'removed' else old.name}.{field.name}",
            aspect=aspect,
            text=text,
            verdict=covered(by_migration=False) if breaks else "compatible",
            because=because if breaks else "",
            old=None if kind == "added" else old.place,
            new=None if kind == "removed" else new.place,
        )

    yield from _unmatched("field", machine, old.fields, new.fields, of=new)
    for field in new.fields:
        if field.name not in origin:
            text = "required" if field.required else "has a default"
            why = "recorded events have no value for it"
            yield change("added", field, "", text, breaks=field.required, because=why)
            continue
        was = before[origin[field.name]]
        if was.name != field.name:
            yield _renaming(
                "field",
                machine,
                f"{old.name}.{was.name}",
                f"{new.name}.{field.name}",
                old.place,
                new.place,
            )
        if was.type.name != field.type.name:
            text = f"{was.type.name} -> {field.type.name}"
            why = "recorded events have a value of another type"
            yield change("changed", field, "type", text, breaks=True, because=why)
        elif gone := [one for one in was.type.members if one not in field.type.members]:
            text = f"{field.type.name} without {', '.join(gone)}"
            why = "recorded events may hold what is no member any more"
            yield change("changed", field, "type", text, breaks=True, because=why)
        if was.required != field.required:
            text = "is required now" if field.required else "has a default now"
            why = "recorded events may have no value for it"
            yield change("changed", field, "default", text, breaks=field.required, because=why)
        elif was.default != field.default:
            why = "recorded events without a value now mean another"
            yield change(
                "changed",
                field,
                "default",
                f"{was.default!r} -> {field.default!r}",
                breaks=field.type.readable,
                because=why,
            )
    for field in old.fields:
        if field.name not in names:
            why = "recorded events hold a field that is not known any more"
            yield change("removed", field, "", "", breaks=True, because=why)


def _unmatched(
    part: Part,
    machine: str,
    old: Sequence[State | Event | Variable | Field],
    new: Sequence[State | Event | Variable | Field],
    of: Event | None = None,
) -> Iterator[Change]:
    """A note for every `was` that names nothing in OLD, unless it stood there in OLD already.

    `of` is the event that has the fields.
    """
    before = {one.name: one.was for one in old}
    for one in new:
        if one.was and one.was not in before and before.get(one.name) != one.was:
            yield Change(
                part=part,
                kind="unmatched",
                machine=machine,
                name=f"{of.name}.{one.name}" if of else one.name,
                aspect="was",
                text=f"'was: {one.was}' names nothing in the old version",
                new=of.place if of else getattr(one, "place", None),
            )


def _renaming(
    part: Part, machine: str, old: str, new: str, old_place: Place, new_place: Place
) -> Change:
    return Change(
        part=part,
        kind="renamed",
        machine=machine,
        name=new,
        text=f"was {old}",
        verdict="migrated",
        because="by 'was'",
        old=old_place,
        new=new_place,
    )


def _part(variable: Variable) -> Part:
    return "parameter" if variable.param else "variable"


def _declared(variable: Variable) -> str:
    what = "default" if variable.param else "initial"
    shown = "" if variable.initial is None else f", {what} {_shown(variable.initial)}"
    return variable.type.name + shown


def _shown(value: object) -> str:
    if value is None:
        return "none"
    return str(value).lower() if isinstance(value, bool) else str(value)
