"""A generated module as its parts by name: functions, classes, and the values of its constants."""

from __future__ import annotations

import ast
import dataclasses
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from milepost import machine, roles
from milepost_codegen.validate.difference import Different

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Called", "Made", "Module", "made"]

_TABLES: Final[Mapping[str, type]] = {
    one.__name__: one
    for one in (
        machine.Collection,
        machine.Event,
        machine.Field,
        machine.Invariant,
        machine.Lifecycle,
        machine.Machine,
        machine.MachineUpgrade,
        machine.MemberEvent,
        machine.State,
        machine.Transition,
        machine.Upgrade,
        machine.Variable,
    )
}
_BUILTINS: Final = frozenset({"bool", "dict", "getattr", "map", "str", "tuple", "object", "list"})

_LIBRARY: Final = frozenset({"__future__", "collections.abc", "dataclasses", "enum", "typing"})


@dataclass(frozen=True, slots=True)
class Called:
    """A function of the module, as a table names it."""

    name: str


@dataclass(frozen=True, slots=True)
class Made:
    """An entry of a table: its type and its parts, with those that it leaves to their defaults."""

    type: str
    parts: Mapping[str, object]
    line: int = field(default=0, compare=False, repr=False)


def made(kind: type, given: Mapping[str, object], line: int = 0) -> Made:
    """A table entry of that type. Raises Different if it has no such parts, or lacks some."""
    parts = _defaults(kind)
    if not given.keys() <= parts.keys():
        raise Different(f"gives {kind.__name__} parts that it has not", line)
    parts.update(given)
    for name, value in parts.items():
        if value is dataclasses.MISSING:
            raise Different(f"leaves out {name!r} of {kind.__name__}", line)
    return Made(kind.__name__, parts, line)


def _defaults(kind: type) -> dict[str, object]:
    if not dataclasses.is_dataclass(kind):
        return dict.fromkeys(getattr(kind, "_fields"), dataclasses.MISSING)  # noqa: B009
    found: dict[str, object] = {}
    for part in dataclasses.fields(kind):
        if part.init:
            factory = part.default_factory
            found[part.name] = part.default if factory is dataclasses.MISSING else factory()
    return found


class Module:
    """The parts of a module's text, each name of which is given once. Nothing of it is run.

    Raises Different where there is a statement that generated modules do not have, so that nothing
    in it can change what the names of another part stand for.
    """

    def __init__(self, text: str) -> None:
        self.functions: dict[str, ast.FunctionDef] = {}
        self.classes: dict[str, ast.ClassDef] = {}
        self.constants: dict[str, ast.expr] = {}
        self._values: dict[str, object] = {}
        self._taken: set[str] = set(_BUILTINS)
        try:
            body = ast.parse(text).body
        except SyntaxError as problem:
            raise Different("is no Python", problem.lineno or 0) from None
        for statement in body:
            self._keep(statement)

    def value(self, name: str) -> object:
        """The value of a constant: tables as `Made`, functions as `Called`. Raises Different."""
        if name not in self._values:
            if name not in self.constants:
                raise Different(f"has no {name}")
            self._values[name] = self._value(self.constants[name])
        return self._values[name]

    def rows_of(self, rows: object) -> dict[str, Made]:
        """The constants that hold those very rows, each with its row."""
        mine = {id(one) for one in rows} if isinstance(rows, tuple) else set()
        return {
            name: value
            for name, value in self._values.items()
            if isinstance(value, Made) and id(value) in mine
        }

    def function(self, name: str) -> ast.FunctionDef:
        """The function of that name. Raises Different if there is none."""
        if name not in self.functions:
            raise Different(f"has no function {name}")
        return self.functions[name]

    def _keep(self, statement: ast.stmt) -> None:
        match statement:
            case ast.FunctionDef(name=name):
                self._take(name, statement.lineno)
                self.functions[name] = statement
            case ast.ClassDef(name=name):
                self._take(name, statement.lineno)
                self.classes[name] = statement
            case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value):
                self._take(name, statement.lineno)
                self.constants[name] = value
            case ast.Assign(targets=[ast.Name(id="__all__")]):
                self._take("__all__", statement.lineno)
            case ast.Expr(value=ast.Constant(value=str())):
                pass
            case ast.ImportFrom(module=source, names=names, level=0):
                for alias in names:
                    self._import(str(source), alias, statement.lineno)
            case _:
                raise Different("has a statement that is not understood", statement.lineno)

    def _import(self, source: str, name: ast.alias, line: int) -> None:
        own = name.asname in (None, name.name)
        tables = source == "milepost.machine" and name.name in machine.__all__
        if (source, name.name, name.asname) == ("milepost", "roles", "_roles"):
            self._take("_roles", line)
        elif own and (tables or source in _LIBRARY):
            self._take(name.name, line)
        else:
            raise Different(f"imports {name.name} from {source}", line)

    def _take(self, name: str, line: int) -> None:
        if name in self._taken:
            raise Different(f"gives the name {name} twice", line)
        self._taken.add(name)

    def _value(self, node: ast.expr) -> object:
        match node:
            case ast.Constant(value=value):
                return value
            case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int(number))):
                return -number
            case ast.Tuple(elts=elements):
                return tuple(map(self._value, elements))
            case ast.List(elts=elements):
                return list(map(self._value, elements))
            case ast.Dict():
                return self._mapping(node)
            case ast.Name(id=name) if name in self.functions:
                return Called(name)
            case ast.Name(id=name) if name in self.constants:
                return self.value(name)
            case ast.Call(func=ast.Name(id="frozen"), args=[ast.Dict() as inner], keywords=[]):
                return self._mapping(inner)
            case ast.Call():
                return self._call(node)
            case ast.Attribute(
                value=ast.Attribute(value=ast.Name(id="_roles"), attr="Outcome"), attr=name
            ) if name in roles.Outcome.__members__:
                return roles.Outcome[name]
        raise Different("has a value that is not understood", node.lineno)

    def _mapping(self, node: ast.Dict) -> dict[object, object]:
        found: dict[object, object] = {}
        for key, value in zip(node.keys, node.values, strict=True):
            if not isinstance(key, ast.Constant) or key.value in found:
                raise Different("has an entry that is not understood", node.lineno)
            found[key.value] = self._value(value)
        return found

    def _call(self, node: ast.Call) -> object:
        values = [self._value(one) for one in node.args]
        named: dict[str, Any] = {}  # Any: parts of any role, which its own type checks
        for one in node.keywords:
            if one.arg is None:
                raise Different("has a call that is not understood", node.lineno)
            named[one.arg] = self._value(one.value)
        match node.func:
            case ast.Name(id=name) if name in _TABLES:
                kind = _TABLES[name]
                given = dict(zip(_defaults(kind), values, strict=False))
                if len(given) < len(values) or not given.keys().isdisjoint(named):
                    raise Different("has a call that is not understood", node.lineno)
                return made(kind, {**given, **named}, node.lineno)
            case ast.Attribute(value=ast.Name(id="_roles"), attr=name) if (
                name in roles.__all__ and name not in ("NO_ROLES", "Outcome")
            ):
                try:
                    return getattr(roles, name)(*values, **named)
                except TypeError:
                    raise Different(f"has {name} with other parts", node.lineno) from None
        raise Different("has a call that is not understood", node.lineno)
