"""Typed states: that each method takes the step of its own event, and no other.

The methods decide nothing of their own. They ask the function of the table which row is taken, and
give the state that the row leads to, with what the row assigns; so each is followed for every row.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from milepost_codegen.expressions.tree import reads
from milepost_codegen.model import reads_in
from milepost_codegen.names import (
    OF_STATES,
    attribute,
    constant_name,
    context_function,
    enum_class,
    event_enum,
    handle_function,
    new_function,
    of_function,
    open_states,
    state_class,
    state_enum,
    step_function,
    take_function,
)
from milepost_codegen.validate.difference import Different
from milepost_codegen.validate.functions import body_of
from milepost_codegen.validate.reading import Called, Made

if TYPE_CHECKING:
    from collections.abc import Sequence

    from milepost_codegen.model import Event, Machine, Transition
    from milepost_codegen.validate.difference import Parts
    from milepost_codegen.validate.reading import Module

__all__ = ["Typed"]


class Typed:
    """The typed surface of one machine of a module; `enforced` are as tables have them."""

    def __init__(
        self, module: Module, machine: Machine, table: Made, enforced: tuple[str, ...] | None
    ) -> None:
        self.module = module
        self.machine = machine
        self.constant = constant_name(machine.name)
        self.watched = [
            one for one in machine.invariants if enforced is None or one.name in enforced
        ]
        told, rows = table.parts["rows"], table.parts["transitions"]
        self.selects = {
            (state, event): function.name
            for state, events in (told.items() if isinstance(told, dict) else ())
            for event, function in events.items()
            if isinstance(function, Called)
        }
        self.rows = {
            str(row.parts["id"]): (name, row) for name, row in module.rows_of(rows).items()
        }

    def compare(self, parts: Parts) -> None:
        """Compare the enums, classes and functions; each under its name."""
        machine = self.machine
        for name, members in (
            (state_enum(machine.name), [one.name for one in machine.states]),
            (event_enum(machine.name), [one.name for one in machine.events]),
        ):
            parts.compare(name, self.enum, name, members)
        for state in machine.states:
            name = state_class(machine.name, state.name)
            parts.compare(name, self.state, name, state.name, parts)
        for name, text in self.surface():
            parts.compare(name, self.fixed, name, text)
        for name in (new_function(machine.name), context_function(machine.name)):
            parts.compare(name, self.parameters, name)

    def enum(self, name: str, members: Sequence[str]) -> None:
        """Compare the names of states or events."""
        found: list[tuple[str, object]] = []
        for line in self.class_of(name).body:
            match line:
                case ast.Assign(targets=[ast.Name(id=member)], value=ast.Constant(value=value)):
                    found.append((member, value))
                case ast.Expr(value=ast.Constant()):
                    pass
                case _:
                    raise Different("has a member that is not understood", line.lineno)
        if found != [(constant_name(member), member) for member in members]:
            raise Different("has other members than there are", self.class_of(name).lineno)

    def state(self, name: str, state: str, parts: Parts) -> None:
        """Compare the class of a state: its name, and one method for each legal event."""
        methods: dict[str, ast.FunctionDef] = {}
        named = False
        for line in self.class_of(name).body:
            match line:
                case ast.FunctionDef(name=method) if method not in methods:
                    methods[method] = line
                case ast.AnnAssign(
                    target=ast.Name(id="name"),
                    value=ast.Attribute(value=ast.Name(id=enum), attr=member),
                ):
                    named = (enum, member) == (
                        state_enum(self.machine.name),
                        constant_name(state),
                    )
                case ast.Expr(value=ast.Constant()):
                    pass
                case ast.Assign(targets=[ast.Name(id="__slots__")], value=ast.Tuple(elts=[])):
                    pass
                case _:
                    raise Different("has a part that is not understood", line.lineno)
        if not named:
            raise Different("has the name of another state", self.class_of(name).lineno)
        events = {one.name: one for one in self.machine.events}
        legal = {
            attribute(event, OF_STATES): (events[event], rows)
            for (source, event), rows in self.machine.pairs.items()
            if source == state
        }
        if set(legal) != set(methods):
            raise Different("has methods of other events", self.class_of(name).lineno)
        for method, (event, rows) in legal.items():
            node = methods[method]
            parts.compare(f"{name}.{method}", self.method, node, event, rows)

    def method(self, node: ast.FunctionDef, event: Event, rows: tuple[Transition, ...]) -> None:
        """Follow a method for every row that its event may take. Raises Different."""
        parameters = ["self", "payload"] if event.fields else ["self"]
        if [one.arg for one in node.args.args] != parameters or node.decorator_list:
            raise Different("has other parameters than it must have", node.lineno)
        lines = list(body_of(node))
        given = self.given(lines, event, rows)
        pair = rows[0].source, event.name
        asked = False
        if lines and _is(lines[0], f"row = {self.selects.get(pair)}(self._values, {given})"):
            asked = True
            lines.pop(0)
        if (
            asked
            and lines
            and _is(
                lines[0],
                f"if row is None:\n    raise {self.constant}.refusal("
                f"{pair[0]!r}, {pair[1]!r}, self._values, {given})",
            )
        ):
            lines.pop(0)
        elif not self.certain(rows):
            raise Different("does not refuse where no guard holds", node.lineno)
        for one in rows:
            if one.id not in self.rows:
                raise Different(f"has no constant for row {one.id!r}", node.lineno)
            constant, table = self.rows[one.id]
            way = self.way(lines, constant) if asked else _only(lines, node)
            if not asked and len(rows) > 1:
                raise Different("does not ask which row is taken", node.lineno)
            if not self.gives(way, one, table, "row" if asked else constant, given):
                raise Different(f"does not take the step of row {one.id!r}", node.lineno)

    def given(self, lines: list[ast.stmt], event: Event, rows: tuple[Transition, ...]) -> str:
        """What stands for the payload in a method, whose first lines are taken away."""
        read = {
            name
            for one in rows
            for tree in (one.guard, *(entry.value for entry in one.assignments))
            if tree is not None
            for name in (field.name for field in reads(tree) if field.payload)
        }
        if not read:
            if lines and _is(lines[0], "del payload"):
                lines.pop(0)
            return "{}"
        entries = ", ".join(
            f"{field.name!r}: str(payload.{field.name})"
            if field.type.members
            else f"{field.name!r}: payload.{field.name}"
            for field in event.fields
            if field.name in read
        )
        if not lines or not _is(lines[0], f"given = {{{entries}}}"):
            raise Different("does not hand on what its rows read of the payload")
        lines.pop(0)
        return "given"

    def way(self, lines: Sequence[ast.stmt], row: str) -> ast.stmt:
        """The statement by which a method is left where `row` is taken."""
        for line in lines:
            match line:
                case ast.Return():
                    return line
                case ast.If(test=test, body=[ast.Return() as inner], orelse=[]):
                    if row in _rows_in(test):
                        return inner
                case _:
                    break
        raise Different("has code that is not understood", lines[0].lineno if lines else 0)

    def gives(self, line: ast.stmt, one: Transition, table: Made, row: str, given: str) -> bool:
        """True if the statement returns the state after a row, its invariants looked at."""
        assign = table.parts["assign"]
        after = "self._values"
        if isinstance(assign, Called):
            after = f"{assign.name}({after}, {given})"
        target = state_class(self.machine.name, one.target)
        if _is(line, f"return {target}({self.constant}.kept({row}, {after}), {row})"):
            return True
        return not self.may_break(one) and _is(line, f"return {target}({after}, {row})")

    def may_break(self, one: Transition) -> bool:
        """True if an invariant that is looked at may not hold after a row."""
        sets = {entry.name for entry in one.assignments}
        for invariant in self.watched:
            of = invariant.states
            if of is not None and one.target not in of:
                continue
            before = of is None or one.source in of
            if not before or sets & set(reads_in(invariant.holds)):
                return True
        return False

    def certain(self, rows: tuple[Transition, ...]) -> bool:
        """True if some row is taken whatever is known: one without guard, or what is left."""
        last = rows[-1]
        return any(one.guard is None for one in rows) or (last.otherwise and not last.history)

    def surface(self) -> list[tuple[str, str]]:
        """The functions around typed states, each with the one body that it may have."""
        machine, constant = self.machine, self.constant
        passed = ", ".join(f"{one.name}={one.name}" for one in machine.variables if one.param)
        table = self.by_name()
        kept = f"{constant}.check(state, context)" if machine.invariants else "context"
        first = state_class(machine.name, machine.initial)
        found = [
            (
                new_function(machine.name),
                f"return {first}({constant}.context({passed}))",
            ),
            (of_function(machine.name), f"return {table}[state](dict({kept}))"),
            (context_function(machine.name), f"return {constant}.context({passed})"),
            (
                step_function(machine.name),
                f"return {constant}.step(state, event, context, payload)",
            ),
        ]
        if machine.events:
            after = f"{constant}.kept(row, after)" if self.watched else "after"
            body = (
                "values = state.values()\n"
                f"payload = {constant}.payload(event.event, event)\n"
                f"row = {constant}.select(state.name, event.event, values, payload)\n"
                "after = values if row.assign is None else row.assign(values, payload)\n"
                f"return {table}[row.target](dict({after}), row)"
            )
            found.append((take_function(machine.name), body))
        if open_states(machine):
            handled = 'getattr(handlers, f"on_{state.name}")(state)'
            found.append(
                (
                    handle_function(machine.name),
                    f"return {take_function(machine.name)}(state, {handled})",
                )
            )
        return found

    def by_name(self) -> str:
        """The constant that has the class of each state."""
        entries = ", ".join(
            f"{one.name!r}: {state_class(self.machine.name, one.name)}"
            for one in self.machine.states
        )
        meant = ast.dump(ast.parse(f"{{{entries}}}", mode="eval").body)
        for name, value in self.module.constants.items():
            if isinstance(value, ast.Dict) and ast.dump(value) == meant:
                return name
        raise Different("has no table of the classes of its states")

    def fixed(self, name: str, text: str) -> None:
        """Compare a function that has but one body."""
        node = self.module.function(name)
        if [ast.dump(one) for one in body_of(node)] != [
            ast.dump(one) for one in ast.parse(text).body
        ]:
            raise Different("has another body than it must have", node.lineno)

    def parameters(self, name: str) -> None:
        """Compare the parameters of a function that makes a machine, and their defaults."""
        node = self.module.function(name)
        taken = node.args
        found = [
            (one.arg, None if default is None else self.default(default))
            for one, default in zip(taken.kwonlyargs, taken.kw_defaults, strict=True)
        ]
        meant = [(one.name, one.initial) for one in self.machine.variables if one.param]
        if repr(found) != repr(meant) or taken.args or taken.vararg or taken.kwarg:
            raise Different("has other parameters or defaults than it must have", node.lineno)

    def default(self, node: ast.expr) -> object:
        """The value of a default: a constant, or the member of an enum by its name."""
        match node:
            case ast.Attribute(value=ast.Name(id=enum), attr=member):
                for one in self.machine.variables:
                    if one.type.members and enum_class(one.type.name) == enum:
                        names = {constant_name(each): each for each in one.type.members}
                        return names.get(member)
            case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int(number))):
                return -number
            case ast.Constant(value=value):
                return value
        raise Different("has a default that is not understood", node.lineno)

    def class_of(self, name: str) -> ast.ClassDef:
        """The class of that name. Raises Different if there is none."""
        if name not in self.module.classes:
            raise Different("is no class of the module")
        return self.module.classes[name]


def _is(node: ast.stmt, text: str) -> bool:
    """True if a statement is that of `text`."""
    return ast.dump(node) == ast.dump(ast.parse(text).body[0])


def _only(lines: Sequence[ast.stmt], node: ast.FunctionDef) -> ast.stmt:
    if len(lines) != 1:
        raise Different("has code that is not understood", node.lineno)
    return lines[0]


def _rows_in(test: ast.expr) -> set[str]:
    """The rows for which a test of `row` holds."""
    match test:
        case ast.Compare(left=ast.Name(id="row"), ops=[ast.Is()], comparators=[ast.Name(id=name)]):
            return {name}
        case ast.BoolOp(op=ast.Or(), values=values):
            return {name for value in values for name in _rows_in(value)}
    raise Different("has a test that is not understood", test.lineno)
