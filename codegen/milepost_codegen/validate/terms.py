"""Python expressions of generated code, read back as typed trees of the definition language."""

from __future__ import annotations

import ast
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from milepost_codegen.expressions import BOOL, INT, type_of
from milepost_codegen.expressions.tree import (
    Arithmetic,
    Choice,
    Comparison,
    Expression,
    Logic,
    Member,
    Negative,
    Not,
    Number,
    Product,
    Read,
    Truth,
    Type,
)
from milepost_codegen.validate.difference import Different

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Literal

    from milepost_codegen.expressions.tree import ComparisonOperator

__all__ = ["Reader", "Types"]

_COMPARE: Final[Mapping[type[ast.cmpop], ComparisonOperator]] = {
    ast.Eq: "==",
    ast.NotEq: "!=",
    ast.Is: "==",
    ast.IsNot: "!=",
    ast.Lt: "<",
    ast.LtE: "<=",
    ast.Gt: ">",
    ast.GtE: ">=",
}
_KEPT: Final = frozenset({"bool", "context", "payload", "state"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Types:
    """The types of what code may read: entries of the context, and fields of the payload.

    `given` are those of the entries that it gives, where they are of another version.
    """

    context: Mapping[str, Type]
    payload: Mapping[str, Type] = field(default_factory=dict)
    given: Mapping[str, Type] | None = None

    @property
    def entries(self) -> Mapping[str, Type]:
        """The types of the entries that code gives."""
        return self.context if self.given is None else self.given


@dataclass(slots=True)
class Reader:
    """Reads expressions of one function; `given` are the names of its mappings, `names` its own.

    A name that the function gave to an expression stands for that expression: nothing that is read
    changes while a function runs.
    """

    types: Types
    given: frozenset[str]
    names: dict[str, Expression]

    def assign(self, statement: ast.Assign, wanted: Type | None = None) -> None:
        """Keep what a name stands for from here on. Raises Different if it is not its own."""
        (target, *others) = statement.targets
        if others or not isinstance(target, ast.Name) or target.id in _KEPT:
            raise Different("gives no name of its own to a value", statement.lineno)
        self.names[target.id] = self.read(statement.value, wanted)

    def read(self, node: ast.expr, wanted: Type | None = None) -> Expression:
        """The tree of `node`. Raises Different where it is not understood, or of another type."""
        tree = self._read(node, wanted)
        if wanted is not None and type_of(tree) != wanted:
            kind = type_of(tree).name
            raise Different(f"has a value of type {kind} where {wanted.name} is due", node.lineno)
        return tree

    def _read(  # noqa: PLR0912  # one case for each form
        self, node: ast.expr, wanted: Type | None
    ) -> Expression:
        match node:
            case ast.Constant(value=bool(value)):
                return Truth(value=value)
            case ast.Constant(value=int(number)):
                return Number(value=number)
            case ast.Constant(value=str(name)) if wanted is not None and name in wanted.members:
                return Member(type=wanted, name=name)
            case ast.Name(id=name) if name in self.names:
                return self.names[name]
            case ast.Subscript(
                value=ast.Name(id="context" | "payload" as source),
                slice=ast.Constant(value=str(name)),
            ) if source in self.given:
                return self._entry(source, name, node.lineno)
            case ast.Call(func=ast.Name(id="bool"), args=[inner], keywords=[]):
                return self.read(inner, BOOL)
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                return Not(operand=self.read(operand, BOOL))
            case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int(number))) if not (
                isinstance(number, bool)
            ):
                return Number(value=-number)
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                return Negative(operand=self.read(operand, INT))
            case ast.BoolOp(op=operator, values=values):
                return Logic(
                    operator="and" if isinstance(operator, ast.And) else "or",
                    operands=tuple(self.read(value, BOOL) for value in values),
                )
            case ast.IfExp(test=test, body=body, orelse=orelse):
                first, second = self._alike([body, orelse], wanted)
                return Choice(then=first, condition=self.read(test, BOOL), otherwise=second)
            case ast.Compare():
                return self._comparison(node)
            case ast.BinOp():
                return self._arithmetic(node)
        raise Different("has code that is not understood", node.lineno)

    def _entry(self, source: str, name: str, line: int) -> Read:
        of_payload = source == "payload"
        kind = (self.types.payload if of_payload else self.types.context).get(name)
        if kind is None or not kind.readable:
            raise Different(f"reads {name!r} of the {source}, which it must not", line)
        return Read(name=name, type=kind, payload=of_payload)

    def _alike(self, nodes: list[ast.expr], wanted: Type | None) -> list[Expression]:
        """The trees of nodes of one type; members of enums take it from the others."""
        for node in nodes:
            if wanted is None and not _is_text(node):
                wanted = type_of(self._read(node, None))
        if wanted is None:
            raise Different("compares nothing but constants of unknown type", nodes[0].lineno)
        return [self.read(node, wanted) for node in nodes]

    def _comparison(self, node: ast.Compare) -> Expression:
        operands = self._alike([node.left, *node.comparators], None)
        kind = type_of(operands[0])
        operators: list[ComparisonOperator] = []
        for operator in node.ops:
            sign = _COMPARE.get(type(operator))
            identity = isinstance(operator, (ast.Is, ast.IsNot))
            if sign is None or (identity and kind != BOOL):
                raise Different("compares in a way that is not understood", node.lineno)
            if sign not in ("==", "!=") and kind != INT:
                raise Different(f"puts values of type {kind.name} in an order", node.lineno)
            operators.append(sign)
        return Comparison(operands=tuple(operands), operators=tuple(operators))

    def _arithmetic(self, node: ast.BinOp) -> Expression:
        left, right = self.read(node.left, INT), self.read(node.right, INT)
        match node.op:
            case ast.Mult():
                return Product(left=left, right=right)
            case ast.Add() | ast.Sub():
                sign: Literal["+", "-"] = "+" if isinstance(node.op, ast.Add) else "-"
                return Arithmetic(operands=(left, right), operators=(sign,))
        raise Different("has arithmetic that is not understood", node.lineno)


def _is_text(node: ast.expr) -> bool:
    """True of what has a type only beside something else: a member of an enum."""
    match node:
        case ast.Constant(value=str()):
            return True
        case ast.IfExp(body=body, orelse=orelse):
            return _is_text(body) and _is_text(orelse)
    return False
