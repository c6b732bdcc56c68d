"""How typed states are come by, and the table of handlers by which executors take steps."""

from __future__ import annotations

from typing import TYPE_CHECKING

from milepost_codegen.layout import WIDTH, Bracketed, Code, Prefixed, lay_out, literal
from milepost_codegen.names import (
    any_event,
    any_state,
    constant_name,
    handle_function,
    handlers_class,
    legal_events,
    new_function,
    of_function,
    open_state,
    open_states,
    payload_class,
    state_class,
    take_function,
)
from milepost_codegen.python.docs import docstring
from milepost_codegen.python.parts import ClassPlan, FunctionPlan
from milepost_codegen.python.statements import signature, union

if TYPE_CHECKING:
    from milepost_codegen.model import Machine
    from milepost_codegen.python.tables import Names

__all__ = ["functions", "handlers", "states_by_name", "unions"]


def unions(machine: Machine) -> tuple[str, ...]:
    """The unions of all states, of the open ones, of all events, and of those legal in each."""
    name = machine.name
    found = [union(any_state(name), tuple(state_class(name, one.name) for one in machine.states))]
    waiting = open_states(machine)
    if waiting:
        found.append(union(open_state(name), tuple(state_class(name, one) for one in waiting)))
    if machine.events:
        events = tuple(payload_class(name, event.name) for event in machine.events)
        found.append(union(any_event(name), events))
    legal: dict[str, list[str]] = {}
    for state, event in machine.pairs:
        legal.setdefault(state, []).append(payload_class(name, event))
    each = (union(legal_events(name, state), tuple(legal.get(state, ()))) for state in waiting)
    return (*found, *each)


def states_by_name(machine: Machine, names: Names) -> tuple[str, ...]:
    """The class of each state; the type of the table gets a name where it needs a line."""
    entries: tuple[Code, ...] = tuple(
        Prefixed(prefix=f"{literal(one.name)}: ", inner=state_class(machine.name, one.name))
        for one in machine.states
    )
    table = Bracketed(opening="{", items=entries, closing="}")
    kind = f"type[{any_state(machine.name)}]"
    before = f"{names.states}: Final[Mapping[str, {kind}]] = "
    if len(before) < WIDTH:
        return (lay_out(table, before=before),)
    mapping = Bracketed(opening="Mapping[", items=("str", kind), closing="]")
    return (
        lay_out(mapping, before=f"{names.classes}: TypeAlias = "),
        lay_out(table, before=f"{names.states}: {names.classes} = "),
    )


def handlers(machine: Machine) -> tuple[ClassPlan, ...]:
    """The table of handlers, if any state needs one."""
    name = machine.name
    waiting = open_states(machine)
    if not waiting:
        return ()
    doc = "What to do in each state: a handler answers with an event that is legal there"
    return (
        ClassPlan(
            decorator="@dataclass(frozen=True, slots=True, kw_only=True)",
            signature=f"class {handlers_class(name)}:",
            doc=docstring(doc, indent=4),
            attributes=tuple(
                lay_out(
                    Bracketed(
                        opening="Callable[",
                        items=(f"[{state_class(name, state)}]", legal_events(name, state)),
                        closing="]",
                    ),
                    before=f"on_{state}: ",
                    indent=4,
                ).lstrip()
                for state in waiting
            ),
        ),
    )


def functions(machine: Machine, names: Names, params: tuple[Code, ...]) -> tuple[FunctionPlan, ...]:
    """The ways to a typed state, and to the next; `params` are those of a new machine."""
    found = [_new(machine, params), _of(machine, names)]
    if machine.events:
        found.append(_take(machine, names))
    if open_states(machine):
        found.append(_handle(machine))
    return tuple(found)


def _new(machine: Machine, params: tuple[Code, ...]) -> FunctionPlan:
    passed = tuple(f"{one.name}={one.name}" for one in machine.variables if one.param)
    initial = state_class(machine.name, machine.initial)
    context = Bracketed(
        opening=f"{constant_name(machine.name)}.context(", items=passed, closing=")"
    )
    made = Bracketed(opening=f"{initial}(", items=(context,), closing=")")
    return _function(
        new_function(machine.name),
        params,
        initial,
        docstring(
            f"A new {machine.name}. Raises ContextInvalid"
            + (", InvariantBroken" if machine.invariants else ""),
            indent=4,
        ),
        lay_out(made, before="return ", indent=4),
    )


def _of(machine: Machine, names: Names) -> FunctionPlan:
    kept, broken = "context", "Raises KeyError if there is no such state."
    if machine.invariants:
        kept = f"{constant_name(machine.name)}.check(state, context)"
        broken = f"{broken[:-1]}, InvariantBroken if an invariant does not hold there."
    return _function(
        of_function(machine.name),
        ("state: str", "context: Values"),
        any_state(machine.name),
        docstring(
            "The typed form of a state's name and a whole context, of which a copy is kept",
            indent=4,
            below=(broken,),
        ),
        lay_out(
            Bracketed(
                opening=f"{names.states}[state](",
                items=(Bracketed(opening="dict(", items=(kept,), closing=")"),),
                closing=")",
            ),
            before="return ",
            indent=4,
        ),
    )


def _take(machine: Machine, names: Names) -> FunctionPlan:
    constant = constant_name(machine.name)
    after = f"{constant}.kept(row, after)" if names.enforced else "after"
    body = "\n".join(
        (
            "    values = state.values()",
            f"    payload = {constant}.payload(event.event, event)",
            f"    row = {constant}.select(state.name, event.event, values, payload)",
            "    after = values if row.assign is None else row.assign(values, payload)",
            f"    return {names.states}[row.target](dict({after}), row)",
        )
    )
    return _function(
        take_function(machine.name),
        (f"state: {any_state(machine.name)}", f"event: {any_event(machine.name)}"),
        any_state(machine.name),
        docstring("The state after `event`. Raises TransitionRefused, PayloadInvalid", indent=4),
        body,
    )


def _handle(machine: Machine) -> FunctionPlan:
    name = machine.name
    call = Bracketed(
        opening=f"{take_function(name)}(",
        items=("state", 'getattr(handlers, f"on_{state.name}")(state)'),
        closing=")",
    )
    return _function(
        handle_function(name),
        (f"state: {open_state(name)}", f"handlers: {handlers_class(name)}"),
        any_state(name),
        docstring("The state after the event of its handler. Raises TransitionRefused", indent=4),
        lay_out(call, before="return ", indent=4),
    )


def _function(
    name: str, parameters: tuple[Code, ...], returns: str, doc: str, body: str
) -> FunctionPlan:
    return FunctionPlan(signature=signature(name, parameters, returns), doc=doc, body=body)
