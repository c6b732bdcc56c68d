"""The typed view of a machine's context, its members' counts, and what a step sends to members."""

from __future__ import annotations

from typing import TYPE_CHECKING

from milepost_codegen.layout import WIDTH, Bracketed, lay_out, literal
from milepost_codegen.names import (
    OF_CONTEXTS,
    attribute,
    context_class,
    counts_class,
    enum_class,
    event_enum,
    history_attribute,
    member_event_class,
    state_enum,
)
from milepost_codegen.python.docs import docstring
from milepost_codegen.python.parts import ClassPlan, FunctionPlan
from milepost_codegen.python.statements import signature, union

if TYPE_CHECKING:
    from milepost_codegen.model import Collection, Machine, Variable
    from milepost_codegen.python.tables import Names

__all__ = ["context_views", "member_event", "sent_type", "sent_union"]


def context_views(machine: Machine) -> tuple[ClassPlan, ...]:
    """The classes of the counts, of what is sent to members, and of the context."""
    classes: list[ClassPlan] = []
    for collection in machine.collections:
        classes += [_counts(machine, collection), _sent(machine, collection)]
    return (*classes, _context(machine))


def sent_type(machine: Machine, names: Names) -> str:
    """The type of an event that a step of an owner sends: a union, or its name if it is long."""
    direct = " | ".join(_sent_classes(machine))
    line = f"    def members(self) -> tuple[{direct}, ...]:"
    needed = f"def {names.member_event}(sent: MemberEvent) -> {direct}:"
    return direct if max(len(line), len(needed)) <= WIDTH else names.sent


def sent_union(machine: Machine, names: Names) -> tuple[str, ...]:
    """The alias that `sent_type` names, if it does."""
    named = machine.collections and sent_type(machine, names) == names.sent
    return (union(names.sent, _sent_classes(machine)),) if named else ()


def member_event(machine: Machine, names: Names) -> FunctionPlan:
    """The function that gives a member event its type."""
    lines: list[str] = []
    for index, one in enumerate(machine.collections):
        last = index == len(machine.collections) - 1
        if not last:
            lines.append(f"    if sent.collection == {literal(one.name)}:")
        call = Bracketed(
            opening=f"{member_event_class(machine.name, one.name)}(",
            items=(
                literal(one.name),
                f"{state_enum(one.machine)}(sent.state)",
                f"{event_enum(one.machine)}(sent.event)",
            ),
            closing=")",
        )
        lines.append(lay_out(call, before="return ", indent=4 if last else 8))
    returns = sent_type(machine, names)
    called = signature(names.member_event, ("sent: MemberEvent",), returns)
    return FunctionPlan(signature=called, doc="", body="\n".join(lines))


def _sent_classes(machine: Machine) -> tuple[str, ...]:
    return tuple(member_event_class(machine.name, one.name) for one in machine.collections)


def _context(machine: Machine) -> ClassPlan:
    methods = [_variable(variable) for variable in machine.variables]
    for collection in machine.collections:
        counts = counts_class(machine.name, collection.name)
        doc = docstring(f"The numbers of its {collection.name}", indent=8)
        methods.append(_property(collection.name, counts, f"{counts}(self._values)", doc))
    for history in machine.histories:
        kind = state_enum(machine.name)
        doc = docstring(f"The state of {history.group} that was left last", indent=8)
        read = f"{kind}({_read(history.entry)})"
        methods.append(_property(history_attribute(history.group), kind, read, doc))
    return _view(context_class(machine.name), f"The context of {machine.name}", tuple(methods))


def _variable(variable: Variable) -> FunctionPlan:
    summary = f"Parameter `{variable.name}`" if variable.param else f"Variable `{variable.name}`"
    doc = docstring(summary, variable.doc, indent=8)
    if not variable.type.members:
        return _property(variable.name, variable.type.name, _read(variable.name), doc, exact=True)
    kind = enum_class(variable.type.name)
    return _property(variable.name, kind, f"{kind}({_read(variable.name)})", doc)


def _counts(machine: Machine, collection: Collection) -> ClassPlan:
    methods = [
        _property(
            state,
            "int",
            _read(f"{collection.name}.{state}"),
            docstring(f"How many are {state.replace('_', ' ')}", indent=8),
            exact=True,
        )
        for state in collection.states
    ]
    total = _read(f"{collection.name}.total")
    doc = docstring("How many there are", indent=8)
    methods.append(_property("total", "int", total, doc, exact=True))
    summary = f"How many {collection.name} are in each state"
    return _view(counts_class(machine.name, collection.name), summary, tuple(methods))


def _sent(machine: Machine, collection: Collection) -> ClassPlan:
    name = member_event_class(machine.name, collection.name)
    summary = f"What all {collection.name} in one state take with a step of their owner"
    return ClassPlan(
        signature=f"class {name}(NamedTuple):",
        doc=docstring(summary, indent=4),
        attributes=(
            f"collection: Literal[{literal(collection.name)}]",
            f"state: {state_enum(collection.machine)}",
            f"event: {event_enum(collection.machine)}",
        ),
    )


def _view(name: str, summary: str, methods: tuple[FunctionPlan, ...]) -> ClassPlan:
    return ClassPlan(
        signature=f"class {name}(TypedContext):",
        doc=docstring(summary, indent=4),
        attributes=("__slots__ = ()",),
        methods=methods,
    )


def _read(entry: str) -> str:
    return f"self._values[{literal(entry)}]"


def _property(name: str, kind: str, read: str, doc: str, *, exact: bool = False) -> FunctionPlan:
    """A read-only attribute; `exact` if what is read needs no conversion to be of `kind`."""
    body = f"        return {read}"
    if exact:
        body = f"        value: {kind} = {read}\n        return value"
    return FunctionPlan(
        signature=f"    @property\n    def {attribute(name, OF_CONTEXTS)}(self) -> {kind}:",
        doc=doc,
        body=body,
        indent=4,
    )
