"""Syntax to the typed tree: names resolved, types checked, sizes bounded."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, cast

from milepost_codegen.expressions.syntax import ExpressionProblem, Syntax, parse
from milepost_codegen.expressions.tree import (
    BOOL,
    INT,
    Arithmetic,
    Choice,
    Comparison,
    ComparisonOperator,
    Expression,
    GuardUse,
    Implication,
    Logic,
    Member,
    Negative,
    Not,
    Number,
    Product,
    Read,
    Truth,
    Type,
    parts,
)
from milepost_codegen.findings import nearest

if TYPE_CHECKING:
    from typing import Literal

    from milepost_codegen.expressions.scope import Scope

__all__ = ["BrokenName", "constant", "measure", "read_expression", "type_of"]

_MAX_NODES: Final = 2000  # with the bodies of all guards used
_MAX_DEPTH: Final = 96


class BrokenName(Exception):
    """The expression uses something that is already reported as broken."""


def read_expression(text: str, wanted: Type, scope: Scope) -> Expression:
    """The tree of `text` as a value of type `wanted`.

    Raises ExpressionProblem where the text is wrong, BrokenName where it cannot be judged.
    """
    syntax = parse(text)
    tree = _Typing(scope).expect(syntax, wanted)
    nodes, depth = measure(tree)
    if nodes > _MAX_NODES or depth > _MAX_DEPTH:
        raise ExpressionProblem(
            "E304", 0, "the expression is too large with all the guards that it uses"
        )
    return tree


def type_of(tree: Expression) -> Type:
    """The type of the value of `tree`."""
    match tree:
        case Number() | Negative() | Arithmetic() | Product():
            return INT
        case Member(type=kind) | Read(type=kind):
            return kind
        case Choice(then=then):
            return type_of(then)
        case _:
            return BOOL


def constant(tree: Expression) -> bool:
    """True if the tree reads nothing."""
    return not isinstance(tree, Read) and all(constant(part) for part in parts(tree))


def measure(tree: Expression) -> tuple[int, int]:
    """The number of nodes and the depth of `tree`, guards' bodies counted at each use."""
    below = [measure(part) for part in parts(tree)]
    return 1 + sum(nodes for nodes, _ in below), 1 + max((depth for _, depth in below), default=0)


class _Typing:
    """One pass over the syntax; enum members take their type from what they stand beside."""

    def __init__(self, scope: Scope) -> None:
        self.scope = scope

    def expect(self, syntax: Syntax, wanted: Type) -> Expression:
        tree = self.read(syntax, wanted)
        found = type_of(tree)
        if found != wanted:
            raise ExpressionProblem(
                "E303", syntax.column, f"{_article(wanted)} is needed here, not {_article(found)}"
            )
        return tree

    def read(self, syntax: Syntax, wanted: Type | None) -> Expression:
        column = syntax.column
        match syntax.kind:
            case "number":
                return Number(value=int(syntax.text), column=column)
            case "true" | "false":
                return Truth(value=syntax.kind == "true", column=column)
            case "name":
                return self.name(syntax, wanted)
            case "dotted":
                return self.dotted(syntax)
            case "negative":
                return self.negative(syntax)
            case "sum":
                return Arithmetic(
                    operands=tuple(self.expect(part, INT) for part in syntax.parts),
                    operators=cast("tuple[Literal['+', '-'], ...]", syntax.operators),
                    column=column,
                )
            case "*":
                return self.product(syntax)
            case "comparison":
                return self.comparison(syntax)
            case "not":
                return Not(operand=self.expect(syntax.parts[0], BOOL), column=column)
            case "and" | "or":
                return Logic(
                    operator="and" if syntax.kind == "and" else "or",
                    operands=tuple(self.expect(part, BOOL) for part in syntax.parts),
                    column=column,
                )
            case "implies":
                premise, conclusion = (self.expect(part, BOOL) for part in syntax.parts)
                return Implication(premise=premise, conclusion=conclusion, column=column)
            case _:
                return self.choice(syntax, wanted)

    def negative(self, syntax: Syntax) -> Expression:
        operand = self.expect(syntax.parts[0], INT)
        if isinstance(operand, Number):
            return Number(value=-operand.value, column=syntax.column)
        return Negative(operand=operand, column=syntax.column)

    def product(self, syntax: Syntax) -> Expression:
        left, right = (self.expect(part, INT) for part in syntax.parts)
        if not constant(left) and not constant(right):
            raise ExpressionProblem(
                "E302",
                syntax.parts[1].column,
                "one side of '*' must be constant",
                "products of variables are undecidable in general",
            )
        return Product(left=left, right=right, column=syntax.column)

    def comparison(self, syntax: Syntax) -> Expression:
        operands = self.alike(syntax.parts, None)
        kind = type_of(operands[0])
        if kind != INT:
            for operator, part in zip(syntax.operators, syntax.parts[1:], strict=True):
                if operator not in ("==", "!="):
                    raise ExpressionProblem(
                        "E303",
                        part.column,
                        f"'{operator}' compares ints, not {_article(kind)}",
                        "use '==' or '!='",
                    )
        return Comparison(
            operands=operands,
            operators=cast("tuple[ComparisonOperator, ...]", syntax.operators),
            column=syntax.column,
        )

    def choice(self, syntax: Syntax, wanted: Type | None) -> Expression:
        then, condition, otherwise = syntax.parts
        test = self.expect(condition, BOOL)
        first, second = self.alike((then, otherwise), wanted)
        return Choice(then=first, condition=test, otherwise=second, column=syntax.column)

    def alike(self, syntaxes: tuple[Syntax, ...], wanted: Type | None) -> tuple[Expression, ...]:
        """The trees of parts that must have one type; members take it from the others."""
        for alone in (False, True):
            if wanted is None:
                kinds = (self.certain(part, alone=alone) for part in syntaxes)
                wanted = next((kind for kind in kinds if kind), None)
        if wanted is None:
            wanted = type_of(self.read(syntaxes[0], None))
        return tuple(self.expect(part, wanted) for part in syntaxes)

    def certain(self, syntax: Syntax, *, alone: bool) -> Type | None:
        """The type of `syntax` if it has one whatever stands beside it.

        `alone` says that nothing stands beside it that has: a member is of its only enum then.
        """
        match syntax.kind:
            case "number" | "negative" | "sum" | "*":
                return INT
            case "if":
                then, _, otherwise = syntax.parts
                return self.certain(then, alone=alone) or self.certain(otherwise, alone=alone)
            case "name":
                if syntax.text in self.scope.guards:
                    return BOOL
                owners = [enum for enum in self.scope.enums if syntax.text in enum.members]
                enum = owners[0] if alone and len(owners) == 1 else None
                return self.scope.entries.get(syntax.text, enum)
            case "dotted":
                return type_of(self.dotted(syntax))
            case _:
                return BOOL

    def name(self, syntax: Syntax, wanted: Type | None) -> Expression:
        """A context variable, else a named guard, else a member of an enum."""
        name, column, scope = syntax.text, syntax.column, self.scope
        if name in scope.entries:
            return Read(name=name, type=scope.entries[name], column=column)
        if name in scope.guards:
            return GuardUse(name=name, body=scope.guards[name].body, column=column)
        if name in scope.broken:
            raise BrokenName
        if name in scope.hidden:
            raise ExpressionProblem("E305", column, f"'{name}' {scope.hidden[name]}")
        owners = [enum for enum in scope.enums if name in enum.members]
        if wanted is not None and name in wanted.members:
            owners = [wanted]
        if len(owners) == 1:
            return Member(type=owners[0], name=name, column=column)
        if owners:
            listed = " and ".join(enum.name for enum in owners)
            raise ExpressionProblem(
                "E209",
                column,
                f"'{name}' is a member of {listed}",
                "put a variable of the enum that is meant beside it",
            )
        raise self.unknown(name, column, wanted)

    def unknown(self, name: str, column: int, wanted: Type | None) -> ExpressionProblem:
        scope = self.scope
        members = wanted.members if wanted and wanted.members else ()
        known = {*scope.entries, *scope.guards, *members}
        if not wanted:
            known.update(*(enum.members for enum in scope.enums))
        near = name.lower() if name in ("True", "False") else nearest(name, known)
        what = f"unknown member '{name}' of {wanted.name}" if members and wanted else ""
        return ExpressionProblem(
            "E205",
            column,
            what or f"unknown name '{name}'",
            f"did you mean '{near}'?" if near else "",
        )

    def dotted(self, syntax: Syntax) -> Expression:
        """A field of the payload, a count of members, or the history of a group."""
        owner, _, name = syntax.text.partition(".")
        column, scope = syntax.column, self.scope
        if owner == "event":
            return self.payload_field(name, column)
        if syntax.text in scope.entries:
            return Read(name=syntax.text, type=scope.entries[syntax.text], column=column)
        for part in (owner, syntax.text):
            if part in scope.broken:
                raise BrokenName
            if part in scope.hidden:
                raise ExpressionProblem("E305", column, f"'{part}' {scope.hidden[part]}")
        if owner == "history" and (groups := scope.groups):
            near = nearest(name, groups)
            raise ExpressionProblem(
                "E204",
                column + len(owner) + 1,
                f"unknown group '{name}'",
                f"did you mean '{near}'?" if near else "",
            )
        counts = [entry for entry in scope.entries if entry.startswith(f"{owner}.")]
        if counts:
            near = nearest(syntax.text, counts)
            raise ExpressionProblem(
                "E203",
                column + len(owner) + 1,
                f"unknown state '{name}' of the members in '{owner}'",
                f"did you mean '{near}'?" if near else "",
            )
        if owner in scope.entries:
            message = f"'{owner}' has no parts: only events, collections and histories have"
            raise ExpressionProblem("E302", column + len(owner), message)
        near = nearest(owner, {entry.partition(".")[0] for entry in scope.entries if "." in entry})
        raise ExpressionProblem(
            "E207",
            column,
            f"unknown collection '{owner}'",
            f"did you mean '{near}'?" if near else "",
        )

    def payload_field(self, name: str, column: int) -> Expression:
        fields = self.scope.fields
        if fields is None:
            raise ExpressionProblem("E305", column, "there is no event to read here")
        if name not in fields:
            near = nearest(name, fields)
            raise ExpressionProblem(
                "E208",
                column + len("event."),
                f"unknown payload field '{name}'",
                f"did you mean '{near}'?" if near else "",
            )
        if not fields[name].readable:
            raise ExpressionProblem(
                "E305",
                column,
                f"'event.{name}' is {_article(fields[name])}, which is carried but never read",
                "expressions read bool, int and enums",
            )
        return Read(name=name, type=fields[name], payload=True, column=column)


def _article(kind: Type) -> str:
    article = "an" if kind.name[0] in "aeiouAEIOU" else "a"
    return f"{article} {kind.name}"
