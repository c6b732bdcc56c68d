"""A machine's tables: transitions, the functions that select and assign, and the machine."""

from __future__ import annotations

from typing import TYPE_CHECKING

from milepost_codegen.drawings.sketch import shown_guard
from milepost_codegen.expressions import to_python, to_text
from milepost_codegen.layout import WIDTH, Bracketed, Code, Prefixed, Text, lay_out, literal
from milepost_codegen.model import guards_in, reads_in
from milepost_codegen.names import constant_name, own_class
from milepost_codegen.python.declarations import json_literal
from milepost_codegen.python.parts import ConstantPlan, FunctionPlan
from milepost_codegen.python.roles import roles
from milepost_codegen.python.statements import signature, statement

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from milepost_codegen.certificate import Proofs
    from milepost_codegen.model import (
        Assignment,
        Collection,
        Event,
        Field,
        Invariant,
        Machine,
        State,
        Transition,
        Variable,
    )

__all__ = [
    "Names",
    "assignments",
    "call",
    "certain",
    "giving",
    "mapping",
    "may_break",
    "selections",
    "tables",
    "transitions",
]


class Names:
    """The private names of one machine; `taken` holds those of the whole module, each used once.

    `enforced` are the invariants that steps look at: all but those of the `proofs`. Where there are
    `proofs`, the tables say which they are.
    """

    def __init__(self, machine: Machine, taken: set[str], proofs: Proofs | None = None) -> None:
        self._taken = taken
        declared = tuple(invariant.name for invariant in machine.invariants)
        self.enforced = declared if proofs is None else proofs.enforced(machine.name, declared)
        self.are_told = proofs is not None
        prefix = f"_{machine.name}"
        self.rows = self._new(f"{prefix}_rows".upper())
        self.wheres = {
            variable.name: self._new(f"{prefix}_where_{variable.name}")
            for variable in machine.variables
            if variable.where is not None
        }
        self.invariants = {
            invariant.name: self._new(f"{prefix}_invariant_{invariant.name}")
            for invariant in machine.invariants
        }
        self.pairs = {
            pair: self._new(_of_pair(prefix, pair, number))
            for number, pair in enumerate(machine.pairs, start=1)
        }
        self.transitions = {
            one.id: self._new(f"{self.pairs[pair]}{number}".upper())
            for pair, rows in machine.pairs.items()
            for one, number in zip(rows, _numbers(len(rows)), strict=True)
        }
        self.assignments: dict[str, str] = {}
        for one in machine.transitions:
            body = _assigning(one)
            if body and body not in self.assignments:
                name = self.transitions[one.id].lower()
                self.assignments[body] = self._new(f"{name}_assign")

        self.state = self._new(own_class(machine.name, "state"))
        self.states = self._new(f"{prefix}_states".upper())
        self.classes = self._new(own_class(machine.name, "classes"))
        self.sent = self._new(own_class(machine.name, "sent"))
        self.member_event = self._new(f"{prefix}_member_event")
        self.outcomes = {
            pair: self._new(own_class(machine.name, f"{'_'.join(pair)}_outcome"))
            for pair in machine.pairs
        }

    def assigning(self, one: Transition) -> str:
        """The function that gives the context after a transition, or `""`."""
        return self.assignments.get(_assigning(one), "")

    def _new(self, name: str) -> str:
        while name in self._taken:
            name += "_"
        self._taken.add(name)
        return name


def _of_pair(prefix: str, pair: tuple[str, str], number: int) -> str:
    """The name of a pair's function: its state and event, or its number if lines would overflow."""
    name = f"{prefix}_{'_'.join(pair)}"
    entry = f"        {literal(pair[1])}: {name},"
    constant = f"{name}_{number}: Final = Transition("
    return name if max(len(entry), len(constant)) <= WIDTH else f"{prefix}_pair_{number}"


def _numbers(count: int) -> tuple[str, ...]:
    return ("",) if count == 1 else tuple(f"_{index + 1}" for index in range(count))


def assignments(machine: Machine, names: Names) -> tuple[FunctionPlan, ...]:
    """The functions that give the context after a transition, equal ones shared."""
    plans: dict[str, FunctionPlan] = {}
    for one in machine.transitions:
        body = _assigning(one)
        if body and body not in plans:
            payload = "payload" if "payload[" in body else "_payload"
            plans[body] = FunctionPlan(
                signature=signature(
                    names.assignments[body],
                    ("context: Values", f"{payload}: Values"),
                    "Values",
                ),
                doc="",
                body=body,
            )
    return tuple(plans.values())


def transitions(machine: Machine, names: Names) -> tuple[ConstantPlan, ...]:
    """The transitions as constants, in definition order."""
    return tuple(
        _constant(names.transitions[one.id], _transition(one, names)) for one in machine.transitions
    )


def selections(machine: Machine, names: Names) -> tuple[FunctionPlan, ...]:
    """For each pair the function that picks its transition, its guards written out in it."""
    plans: list[FunctionPlan] = []
    for pair, rows in machine.pairs.items():
        lines: list[str] = []
        for one in rows:
            if one.guard is None or _unguarded(one, rows):
                lines.append(f"    return {names.transitions[one.id]}")
                break
            lines.append(statement(to_python(one.guard), before="if ", after=":"))
            lines.append(f"        return {names.transitions[one.id]}")
        if not certain(rows):
            lines.append("    return None")
        body = "\n".join(lines)
        parameters = tuple(
            f"{name if f'{name}[' in body else f'_{name}'}: Values"
            for name in ("context", "payload")
        )
        returns = "Transition" if certain(rows) else "Transition | None"
        plans.append(
            FunctionPlan(
                signature=signature(names.pairs[pair], parameters, returns),
                doc="",
                body=body,
            )
        )
    return tuple(plans)


def certain(rows: tuple[Transition, ...]) -> bool:
    """True if one of the rows of a pair is taken whatever the context and the payload."""
    return any(_unguarded(one, rows) for one in rows)


def may_break(machine: Machine, one: Transition, names: Names) -> bool:
    """True if a step by the row has to look at invariants.

    What held in its source holds in its target too, if the row sets nothing of what it reads.
    """
    sets = {assignment.name for assignment in one.assignments}
    return any(
        _is_of(invariant, one.target)
        and not (_is_of(invariant, one.source) and sets.isdisjoint(reads_in(invariant.holds)))
        for invariant in machine.invariants
        if invariant.name in names.enforced
    )


def _is_of(invariant: Invariant, state: str) -> bool:
    return invariant.states is None or state in invariant.states


def tables(machine: Machine, names: Names) -> tuple[ConstantPlan, ConstantPlan]:
    """The rows by state and event, and the machine."""
    by_state: dict[str, dict[str, Code]] = {}
    for (state, event), function in names.pairs.items():
        by_state.setdefault(state, {})[event] = function
    return (
        ConstantPlan(
            text=lay_out(
                _dict({state: _dict(events) for state, events in by_state.items()}),
                before=f"{names.rows}: Final[Mapping[str, Mapping[str, Select]]] = ",
            )
        ),
        _constant(constant_name(machine.name), _machine(machine, names)),
    )


def call(function: str, /, **arguments: Code | None) -> Code:
    """A call with keyword arguments, those that are None left out."""
    return Bracketed(
        opening=f"{function}(",
        items=tuple(
            Prefixed(prefix=f"{key}=", inner=value)
            for key, value in arguments.items()
            if value is not None
        ),
        closing=")",
    )


def mapping(entries: Mapping[str, Code]) -> Code:
    """A read-only mapping."""
    inner = _dict(entries)
    return Bracketed(opening="frozen(", items=(inner,), closing=")") if entries else "frozen({})"


def _unguarded(one: Transition, rows: tuple[Transition, ...]) -> bool:
    return one.guard is None or (one.otherwise and not one.history and one is rows[-1])


def _constant(name: str, value: Code) -> ConstantPlan:
    return ConstantPlan(text=lay_out(value, before=f"{name}: Final = "))


def _assigning(one: Transition) -> str:
    """The body of the function that gives the context after a transition, or `""`."""
    return giving(one.assignments, "**context") if one.assignments else ""


def giving(assignments: Iterable[Assignment], *first: Code) -> str:
    """The body of a function that returns a dict of `first` and of the values assigned."""
    lines: list[str] = []
    entries: list[Code] = list(first)
    for index, assignment in enumerate(assignments):
        entry = Prefixed(prefix=f"{literal(assignment.name)}: ", inner=to_python(assignment.value))
        if "\n" in lay_out(entry, after=",", indent=8):
            lines.append(statement(to_python(assignment.value), before=f"value_{index} = "))
            entry = Prefixed(prefix=entry.prefix, inner=f"value_{index}")
        entries.append(entry)
    after = Bracketed(opening="{", items=tuple(entries), closing="}")
    lines.append(lay_out(after, before="return ", indent=4))
    return "\n".join(lines)


def _transition(one: Transition, names: Names) -> Code:
    members = tuple(
        Bracketed(
            opening="MemberEvent(",
            items=(literal(sent.collection), literal(sent.state), literal(sent.event)),
            closing=")",
        )
        for sent in one.members
    )
    sets = tuple(
        Bracketed(
            opening="(",
            items=(literal(entry.name), Text(value=to_text(entry.value))),
            closing=")",
        )
        for entry in one.assignments
    )
    assign = _assigning(one)
    guard = "" if one.guard is None else to_text(one.guard)
    when = shown_guard(one)
    return call(
        "Transition",
        id=literal(one.id),
        source=literal(one.source),
        event=literal(one.event),
        target=literal(one.target),
        guard=Text(value=guard) if guard else None,
        when=Text(value=when) if when not in ("", guard) else None,
        guards=_strings(guards_in(one.guard)),
        reads=_strings(reads_in(one.guard)),
        members=_tuple(members),
        history=literal(one.history) if one.history else None,
        ignored="True" if one.ignored else None,
        uses_payload="True" if one.uses_payload else None,
        sets=_tuple(sets),
        assign=names.assignments[assign] if assign else None,
    )


def _machine(machine: Machine, names: Names) -> Code:
    entries: dict[str, Code] = {
        entry: "0" for collection in machine.collections for entry in collection.entries
    }
    entries |= {history.entry: literal(history.initial) for history in machine.histories}
    return call(
        "Machine",
        name=literal(machine.name),
        doc=Text(value=machine.doc),
        initial=literal(machine.initial),
        final=_strings(machine.final) or "()",
        states=_strings(tuple(state.name for state in machine.states)),
        events=_strings(tuple(event.name for event in machine.events)) or "()",
        state_specs=mapping({state.name: _state(state) for state in machine.states}),
        event_specs=mapping({event.name: _event(event) for event in machine.events}),
        variables=_tuple(_variable(one, names) for one in machine.variables) or "()",
        guards=mapping({guard.name: Text(value=to_text(guard.body)) for guard in machine.guards}),
        groups=mapping({group.name: _strings(group.states) or "()" for group in machine.groups}),
        collections=mapping({one.name: _collection(one) for one in machine.collections}),
        transitions=_tuple(names.transitions[one.id] for one in machine.transitions) or "()",
        rows=names.rows,
        entries=mapping(entries),
        invariants=mapping(names.invariants),
        roles=roles(machine),
        invariant_specs=mapping({one.name: _invariant(one, names) for one in machine.invariants})
        if machine.invariants
        else None,
        enforced=(_strings(names.enforced) or "()") if names.are_told else None,
    )


def _invariant(invariant: Invariant, names: Names) -> Code:
    return call(
        "Invariant",
        name=literal(invariant.name),
        holds=names.invariants[invariant.name],
        text=Text(value=to_text(invariant.holds)),
        states=None if invariant.states is None else _strings(invariant.states) or "()",
        reads=_strings(reads_in(invariant.holds)),
    )


def _state(state: State) -> Code:
    return call(
        "State",
        name=literal(state.name),
        doc=Text(value=state.doc) if state.doc else None,
        final="True" if state.final else None,
    )


def _event(event: Event) -> Code:
    return call(
        "Event",
        name=literal(event.name),
        doc=Text(value=event.doc) if event.doc else None,
        fields=_tuple(_field(field) for field in event.fields),
    )


def _field(field: Field) -> Code:
    return call(
        "Field",
        name=literal(field.name),
        type=literal(field.type.name),
        members=_strings(field.type.members),
        default=None if field.required else json_literal(field.default),
        doc=Text(value=field.doc) if field.doc else None,
    )


def _variable(variable: Variable, names: Names) -> Code:
    where = variable.where
    return call(
        "Variable",
        name=literal(variable.name),
        type=literal(variable.type.name),
        members=_strings(variable.type.members),
        param="True" if variable.param else None,
        initial=None if variable.initial is None else json_literal(variable.initial),
        where=None if where is None else Text(value=to_text(where)),
        holds=None if where is None else names.wheres[variable.name],
        doc=Text(value=variable.doc) if variable.doc else None,
    )


def _collection(collection: Collection) -> Code:
    accepts: dict[str, Code] = {
        state: _strings(events) or "()" for state, events in collection.accepts
    }
    return call(
        "Collection",
        name=literal(collection.name),
        machine=literal(collection.machine),
        accepts=mapping(accepts),
        grows=_strings(collection.grows) or "()",
    )


def _strings(values: tuple[str, ...]) -> Code | None:
    return _tuple(literal(value) for value in values)


def _tuple(items: Iterable[Code]) -> Code | None:
    """A tuple, or None if it would be empty."""
    found = tuple(items)
    return Bracketed(opening="(", items=found, closing=")", comma=True) if found else None


def _dict(entries: Mapping[str, Code]) -> Code:
    items = tuple(Prefixed(prefix=f"{literal(key)}: ", inner=code) for key, code in entries.items())
    return Bracketed(opening="{", items=items, closing="}")
