"""The typed states of a machine: one class each, whose methods are its legal events."""

from __future__ import annotations

from typing import TYPE_CHECKING

from milepost_codegen.expressions.tree import reads
from milepost_codegen.layout import WIDTH, Bracketed, Code, Joined, Prefixed, lay_out, literal
from milepost_codegen.names import (
    OF_STATES,
    attribute,
    constant_name,
    context_class,
    payload_class,
    state_class,
    state_enum,
)
from milepost_codegen.python.docs import docstring
from milepost_codegen.python.parts import ClassPlan, FunctionPlan
from milepost_codegen.python.statements import union
from milepost_codegen.python.tables import certain, may_break
from milepost_codegen.python.views import sent_type

if TYPE_CHECKING:
    from milepost_codegen.model import Event, Machine, State, Transition
    from milepost_codegen.python.tables import Names

__all__ = ["base_class", "outcome_unions", "state_classes"]


def base_class(machine: Machine, names: Names) -> ClassPlan:
    """What the states of a machine share: the typed context and, for owners, what was sent."""
    context = context_class(machine.name)
    methods = [
        _property(
            "context",
            context,
            docstring("What is known in this state", indent=8),
            f"        return {context}(self._values)",
        )
    ]
    if machine.collections:
        body = "\n".join(
            (
                "        row = self._row",
                "        if row is None:",
                "            return ()",
                f"        return tuple(map({names.member_event}, row.members))",
            )
        )
        doc = docstring("The events that members take in the step that led here", indent=8)
        kind = f"tuple[{sent_type(machine, names)}, ...]"
        methods.append(_property("members", kind, doc, body))
    return ClassPlan(
        signature=f"class {names.state}(TypedState):",
        doc=docstring(f"What the states of {machine.name} share", indent=4),
        attributes=("__slots__ = ()",),
        methods=tuple(methods),
    )


def state_classes(machine: Machine, names: Names) -> tuple[ClassPlan, ...]:
    """One class for each state."""
    events = {event.name: event for event in machine.events}
    by_state: dict[str, list[FunctionPlan]] = {state.name: [] for state in machine.states}
    for (state, event), rows in machine.pairs.items():
        by_state[state].append(_method(machine, events[event], rows, names))
    return tuple(
        _state(machine, state, tuple(by_state[state.name]), names) for state in machine.states
    )


def outcome_unions(machine: Machine, names: Names) -> tuple[str, ...]:
    """Names for the outcomes that are too long for the line of their method."""
    events = {event.name: event for event in machine.events}
    return tuple(
        union(names.outcomes[pair], targets)
        for pair, rows in machine.pairs.items()
        if not _fits(_call(events[pair[1]], machine.name), targets := _targets(machine, rows))
    )


def _state(
    machine: Machine, state: State, methods: tuple[FunctionPlan, ...], names: Names
) -> ClassPlan:
    kind = "final " if state.final else "initial " if state.name == machine.initial else ""
    summary = f"In the {kind}state `{state.name}`"
    member = lay_out(
        f"{state_enum(machine.name)}.{constant_name(state.name)}", before="name: Final = "
    )
    return ClassPlan(
        signature=lay_out(
            Bracketed(
                opening=f"class {state_class(machine.name, state.name)}(",
                items=(names.state,),
                closing=")",
            ),
            after=":",
        ),
        doc=docstring(summary, state.doc, indent=4),
        attributes=("__slots__ = ()", member),
        methods=methods,
    )


def _method(
    machine: Machine, event: Event, rows: tuple[Transition, ...], names: Names
) -> FunctionPlan:
    pair = rows[0].source, event.name
    targets = _targets(machine, rows)
    call = _call(event, machine.name)
    returns = " | ".join(targets) if _fits(call, targets) else names.outcomes[pair]
    below: tuple[str, ...] = ()
    if not certain(rows):
        below = ("Raises TransitionRefused where no guard allows it.",)
    if rows[0].ignored:
        below = ("It is ignored here: nothing changes.",)
    if any(may_break(machine, one, names) for one in rows):
        below = (*below, "Raises InvariantBroken where an invariant would not hold after it.")
    return FunctionPlan(
        signature=lay_out(call, before="def ", after=f" -> {returns}:", indent=4),
        doc=docstring(f"Event `{event.name}`", event.doc, indent=8, below=below),
        body=_body(machine, event, rows, names),
        indent=4,
    )


def _body(
    machine: Machine,
    event: Event,
    rows: tuple[Transition, ...],
    names: Names,
) -> str:
    """Lines that find the row, if there is a choice, and give the state that it leads to."""
    lines, given = _given(event, rows)
    if certain(rows) and len(rows) == 1:
        row = names.transitions[rows[0].id]
        return "\n".join((*lines, _leave(machine, rows[0], given, row, names)))
    pair = rows[0].source, event.name
    select = Bracketed(opening=f"{names.pairs[pair]}(", items=("self._values", given), closing=")")
    lines.append(lay_out(select, before="row = ", indent=8))
    if not certain(rows):
        refusal = Bracketed(
            opening=f"{constant_name(machine.name)}.refusal(",
            items=(literal(pair[0]), literal(pair[1]), "self._values", given),
            closing=")",
        )
        lines += ["        if row is None:", lay_out(refusal, before="raise ", indent=12)]
    ways: dict[tuple[str, str], list[Transition]] = {}
    for one in rows:
        ways.setdefault((one.target, names.assigning(one)), []).append(one)
    for index, alike in enumerate(ways.values()):
        last = index == len(ways) - 1
        if not last:
            lines.append(lay_out(_among(alike, names), before="if ", after=":", indent=8))
        indent = 8 if last else 12
        lines.append(_leave(machine, alike[0], given, "row", names, indent))
    return "\n".join(lines)


def _leave(
    machine: Machine,
    one: Transition,
    given: str,
    row: str,
    names: Names,
    indent: int = 8,
) -> str:
    after: Code = "self._values"
    assign = names.assigning(one)
    if assign:
        after = Bracketed(opening=f"{assign}(", items=("self._values", given), closing=")")
    if may_break(machine, one, names):
        kept = f"{constant_name(machine.name)}.kept("
        after = Bracketed(opening=kept, items=(row, after), closing=")")
    target = state_class(machine.name, one.target)
    made = Bracketed(opening=f"{target}(", items=(after, row), closing=")")
    return lay_out(made, before="return ", indent=indent)


def _among(rows: list[Transition], names: Names) -> Code:
    tests = tuple(f"row is {names.transitions[one.id]}" for one in rows)
    if len(tests) == 1:
        return tests[0]
    return Joined(operands=tests, operators=("or",) * (len(tests) - 1))


def _given(event: Event, rows: tuple[Transition, ...]) -> tuple[list[str], str]:
    """Lines that take what the rows read out of the payload, and what it is called then."""
    read = {
        read.name
        for one in rows
        for tree in (one.guard, *(assignment.value for assignment in one.assignments))
        if tree is not None
        for read in reads(tree)
        if read.payload
    }
    if not event.fields:
        return [], "{}"
    if not read:
        return ["        del payload  # nothing here depends on it"], "{}"
    entries = tuple(
        Prefixed(
            prefix=f"{literal(field.name)}: ",
            inner=f"str(payload.{field.name})" if field.type.members else f"payload.{field.name}",
        )
        for field in event.fields
        if field.name in read
    )
    given = Bracketed(opening="{", items=entries, closing="}")
    return [lay_out(given, before="given = ", indent=8)], "given"


def _targets(machine: Machine, rows: tuple[Transition, ...]) -> tuple[str, ...]:
    """The classes that the rows lead to, in the order of the states."""
    reached = {one.target for one in rows}
    return tuple(
        state_class(machine.name, state.name) for state in machine.states if state.name in reached
    )


def _call(event: Event, machine: str) -> Bracketed:
    payload = (f"payload: {payload_class(machine, event.name)}",) if event.fields else ()
    name = attribute(event.name, OF_STATES)
    return Bracketed(opening=f"{name}(", items=("self", *payload), closing=")")


def _fits(call: Bracketed, targets: tuple[str, ...]) -> bool:
    """True if the `def` with the union of `targets` needs no more than a line."""
    line = lay_out(call, before="def ", after=f" -> {' | '.join(targets)}:", indent=4)
    return len(targets) == 1 or ("\n" not in line and len(line) <= WIDTH)


def _property(name: str, kind: str, doc: str, body: str) -> FunctionPlan:
    signature = f"    @property\n    def {name}(self) -> {kind}:"
    return FunctionPlan(signature=signature, doc=doc, body=body, indent=4)
