"""What people use of a machine: enums, payloads, conditions, typed step and context."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from milepost_codegen.expressions import to_python, to_text
from milepost_codegen.layout import Bracketed, Code, Prefixed, lay_out, literal
from milepost_codegen.names import (
    constant_name,
    context_function,
    enum_class,
    event_enum,
    guard_function,
    payload_class,
    state_enum,
    step_function,
)
from milepost_codegen.python.docs import docstring, note
from milepost_codegen.python.parts import EnumMemberPlan, EnumPlan, FunctionPlan, PayloadPlan
from milepost_codegen.python.statements import signature, statement

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from milepost_codegen.expressions import Expression, Type
    from milepost_codegen.model import Enum, Event, Field, Json, Machine

__all__ = [
    "declared_enum",
    "guards",
    "interface",
    "invariants",
    "json_literal",
    "machine_enums",
    "parameters",
    "payload",
    "returned_truth",
    "wheres",
]

_ANNOTATIONS: Final = {"json": "object", "timestamp": "int"}


def declared_enum(enum: Enum) -> EnumPlan:
    """The class of an enum that the definition declares."""
    return _enum(
        enum_class(enum.type.name),
        f"The values of {enum.type.name}",
        ((member, "") for member in enum.type.members),
    )


def machine_enums(machine: Machine) -> tuple[EnumPlan, EnumPlan]:
    """The classes that name a machine's states and events."""
    return (
        _enum(
            state_enum(machine.name),
            f"The states of {machine.name}",
            ((state.name, state.doc) for state in machine.states),
        ),
        _enum(
            event_enum(machine.name),
            f"The events of {machine.name}",
            ((event.name, event.doc) for event in machine.events),
        ),
    )


def payload(machine: str, event: Event) -> PayloadPlan:
    """The class of an event, with the fields of its payload."""
    described = tuple(f"{field.name}: {field.doc}" for field in event.fields if field.doc)
    return PayloadPlan(
        name=payload_class(machine, event.name),
        doc=docstring(
            f"{'Payload of' if event.fields else 'Event'} `{event.name}`",
            event.doc,
            indent=4,
            below=described,
        ),
        fields=tuple(_field(field) for field in event.fields),
        event_class=event_enum(machine),
        event=constant_name(event.name),
    )


def guards(machine: Machine) -> tuple[FunctionPlan, ...]:
    """One function for each named guard."""
    return tuple(
        FunctionPlan(
            signature=signature(
                guard_function(machine.name, guard.name), ("context: Values",), "bool"
            ),
            doc=docstring("Whether this holds", f"`{to_text(guard.body)}`", indent=4),
            body=returned_truth(guard.body),
        )
        for guard in machine.guards
    )


def wheres(machine: Machine, names: Mapping[str, str]) -> tuple[FunctionPlan, ...]:
    """One function for each parameter with a `where`, called as `names` says."""
    return tuple(
        FunctionPlan(
            signature=signature(names[variable.name], ("context: Values",), "bool"),
            doc="",
            body=returned_truth(variable.where),
        )
        for variable in machine.variables
        if variable.where is not None
    )


def invariants(machine: Machine, names: Mapping[str, str]) -> tuple[FunctionPlan, ...]:
    """One function for each invariant, called as `names` says; elsewhere it holds."""
    plans: list[FunctionPlan] = []
    for invariant in machine.invariants:
        state = "_state" if invariant.states is None else "state"
        elsewhere = ""
        if invariant.states is not None:
            test = _not_among(invariant.states)
            elsewhere = lay_out(test, before="if ", after=":", indent=4) + "\n        return True\n"
        plans.append(
            FunctionPlan(
                signature=signature(
                    names[invariant.name], (f"{state}: str", "context: Values"), "bool"
                ),
                doc="",
                body=elsewhere + returned_truth(invariant.holds),
            )
        )
    return tuple(plans)


def interface(machine: Machine) -> tuple[FunctionPlan, FunctionPlan]:
    """The typed way to a machine's initial context, and its typed step."""
    constant = constant_name(machine.name)
    params = [variable for variable in machine.variables if variable.param]
    passed: tuple[Code, ...] = tuple(f"{param.name}={param.name}" for param in params)
    return (
        FunctionPlan(
            signature=signature(context_function(machine.name), parameters(machine), "Values"),
            doc=docstring(f"The context of a new {machine.name}", indent=4),
            body=lay_out(
                Bracketed(opening=f"{constant}.context(", items=passed, closing=")"),
                before="return ",
                indent=4,
            ),
        ),
        FunctionPlan(
            signature=signature(
                step_function(machine.name),
                (
                    f"state: {state_enum(machine.name)}",
                    f"event: {event_enum(machine.name)}",
                    "context: Values",
                    "payload: Values",
                ),
                "Step",
            ),
            doc=docstring("What `event` does in `state`. Raises TransitionRefused", indent=4),
            body=f"    return {constant}.step(state, event, context, payload)",
        ),
    )


def parameters(machine: Machine) -> tuple[Code, ...]:
    """What a new machine is created with, as a function takes it: by name only."""
    found = tuple(
        f"{param.name}: {_annotation(param.type)}"
        + ("" if param.initial is None else f" = {_default(param.type, param.initial)}")
        for param in machine.variables
        if param.param
    )
    return ("*", *found) if found else ()


def returned_truth(tree: Expression) -> str:
    """Lines that return the value of a boolean tree as a bool."""
    code = to_python(tree)
    call = Bracketed(opening="bool(", items=(code,), closing=")")
    text = lay_out(call, before="return ", indent=4)
    if "\n" not in text:
        return text
    return statement(code, before="holds = ") + "\n    return bool(holds)"


def json_literal(value: Json) -> Code:
    """A JSON value as Python."""
    match value:
        case str():
            return literal(value)
        case list():
            return Bracketed(
                opening="[", items=tuple(json_literal(item) for item in value), closing="]"
            )
        case dict():
            entries = tuple(
                Prefixed(prefix=f"{literal(key)}: ", inner=json_literal(item))
                for key, item in value.items()
            )
            return Bracketed(opening="{", items=entries, closing="}")
        case _:
            return repr(value)


def _enum(name: str, summary: str, members: Iterable[tuple[str, str]]) -> EnumPlan:
    return EnumPlan(
        name=name,
        doc=docstring(summary, indent=4),
        members=tuple(
            EnumMemberPlan(
                name=constant_name(member),
                value=literal(member),
                doc=note(doc, indent=4) if doc else "",
            )
            for member, doc in members
        ),
    )


def _field(field: Field) -> str:
    line = f"{field.name}: {_annotation(field.type)}"
    default = field.default
    if field.required:
        return f"    {line}"
    if isinstance(default, (dict, list)):
        factory: Code = "dict[str, object]" if isinstance(default, dict) else "list[object]"
        if default:
            factory = Prefixed(prefix="lambda: ", inner=json_literal(default))
        call = Bracketed(
            opening="field(",
            items=(Prefixed(prefix="default_factory=", inner=factory),),
            closing=")",
        )
        return lay_out(call, before=f"{line} = ", indent=4)
    return f"    {line} = {_default(field.type, default)}"


def _annotation(kind: Type) -> str:
    return enum_class(kind.name) if kind.members else _ANNOTATIONS.get(kind.name, kind.name)


def _default(kind: Type, value: Json) -> str:
    if kind.members:
        return f"{enum_class(kind.name)}.{constant_name(str(value))}"
    return literal(value) if isinstance(value, str) else repr(value)


def _not_among(states: tuple[str, ...]) -> Code:
    if len(states) == 1:
        return f"state != {literal(states[0])}"
    items = tuple(literal(state) for state in states)
    return Prefixed(prefix="state not in ", inner=Bracketed(opening="(", items=items, closing=")"))
