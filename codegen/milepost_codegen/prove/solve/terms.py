"""Expressions as terms of z3: ints and truth values as they are, members of enums as numbers."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from milepost_codegen.expressions.tree import (
    BOOL,
    INT,
    Arithmetic,
    Choice,
    Comparison,
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
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from milepost_codegen.expressions import Type
    from milepost_codegen.model import Assignment
    from milepost_codegen.prove.system import Input, Value

__all__ = ["Encoder", "Term", "View", "z3"]

Term: TypeAlias = Any
"""A term of z3, which has no types for checkers."""


def z3() -> Any:
    """The module; ImportError where it is not installed."""
    return import_module("z3")


class View:
    """What the names of entries and of payload fields stand for, at one step of a run.

    A name that was not given is a constant of its own, with the view's tag behind it; `base` is
    asked first for names of entries that were not given here.
    """

    __slots__ = ("base", "cache", "encoder", "entries", "payload", "tag")

    def __init__(
        self,
        encoder: Encoder,
        tag: str,
        entries: Mapping[str, Term] | None = None,
        base: View | None = None,
    ) -> None:
        self.encoder = encoder
        self.tag = tag
        self.base = base
        self.entries = dict(entries or {})
        self.payload: dict[str, Term] = {}
        self.cache: dict[int, tuple[Expression, Term]] = {}

    def entry(self, name: str, kind: Type) -> Term:
        """The term of a context entry.

        What facts say by a name that is in no system, such as `x / 2`, is another at every step.
        """
        found = self.entries.get(name)
        if found is None:
            base = self.base
            found = (
                base.entry(name, kind)
                if base is not None and " / " not in name
                else self.encoder.constant(f"{name}{self.tag}", kind)
            )
            self.entries[name] = found
        return found

    def field(self, name: str, kind: Type) -> Term:
        """The term of a field of the payload, or of a number of members from outside."""
        found = self.payload.get(name)
        if found is None:
            found = self.encoder.constant(f"event.{name}{self.tag}", kind)
            self.payload[name] = found
        return found

    def term(self, tree: Expression) -> Term:
        """`tree` in what this view's names stand for."""
        known = self.cache.get(id(tree))
        if known is None:
            known = tree, self.encoder.build(tree, self)
            self.cache[id(tree)] = known
        return known[1]

    def after(self, sets: Iterable[Assignment], tag: str = "'") -> View:
        """The view of what there is after `sets` were computed from this one."""
        return View(self.encoder, tag, {one.name: self.term(one.value) for one in sets}, base=self)

    def fields(self, inputs: Iterable[Input]) -> dict[str, tuple[Type, Term]]:
        """The terms of `inputs` by name, with their types."""
        return {one.name: (one.type, self.field(one.name, one.type)) for one in inputs}


class Encoder:
    """The terms of one question or of several about one system, in a z3 context of their own.

    Because nothing shares the context, the same questions in the same order get the same answers,
    whatever else the process has asked. `bounds` are of the constants that were made so far: each
    one of an enum is the number of one of its members.
    """

    def __init__(self) -> None:
        self.z3: Final = z3()
        self.context: Final = self.z3.Context()
        self.bounds: list[Term] = []
        self._constants: dict[tuple[str, Type], Term] = {}

    def view(self, tag: str = "", entries: Mapping[str, Term] | None = None) -> View:
        """A view whose own constants have `tag` behind their names."""
        return View(self, tag, entries)

    def constant(self, name: str, kind: Type) -> Term:
        """The constant of that name and type, the same at every call."""
        found = self._constants.get((name, kind))
        if found is None:
            sort = "" if kind in (BOOL, INT) else f":{kind.name}:{'|'.join(kind.members)}"
            make = self.z3.Bool if kind == BOOL else self.z3.Int
            found = make(f"{name}{sort}", self.context)
            if sort:
                self.bounds += [found >= 0, found < len(kind.members)]
            self._constants[name, kind] = found
        return found

    def constants(self) -> tuple[Term, ...]:
        """All constants that were made so far, in their order."""
        return tuple(self._constants.values())

    def fresh(self, name: str) -> Term:
        """A truth value that is nobody else's: it switches on what it implies."""
        return self.z3.FreshBool(name, self.context)

    def truth(self, *, value: bool) -> Term:
        """True or false."""
        return self.z3.BoolVal(value, self.context)

    def number(self, value: int) -> Term:
        """An integer."""
        return self.z3.IntVal(value, self.context)

    def all_of(self, terms: Iterable[Term]) -> Term:
        """The conjunction."""
        found = list(terms)
        return found[0] if len(found) == 1 else self.z3.And(*found, self.truth(value=True))

    def any_of(self, terms: Iterable[Term]) -> Term:
        """The disjunction."""
        found = list(terms)
        return found[0] if len(found) == 1 else self.z3.Or(*found, self.truth(value=False))

    def opposite(self, term: Term) -> Term:
        """The negation."""
        return self.z3.Not(term)

    def literal(self, kind: Type, value: Value) -> Term:
        """`value` as a term; members of enums are their numbers."""
        if isinstance(value, bool):
            return self.truth(value=value)
        return self.number(kind.members.index(value) if isinstance(value, str) else value)

    def build(self, tree: Expression, view: View) -> Term:
        """`tree` as a term; ask `view`, which remembers."""
        module = self.z3
        match tree:
            case Truth(value=value):
                return self.truth(value=value)
            case Member(type=kind, name=name):
                return self.number(kind.members.index(name))
            case Read(name=name, type=kind, payload=payload):
                return view.field(name, kind) if payload else view.entry(name, kind)
            case GuardUse(body=body):
                return view.term(body)
            case Comparison():
                return self._comparison(tree, view)
            case Not(operand=operand):
                return module.Not(view.term(operand))
            case Logic(operator=operator, operands=operands):
                terms = [view.term(part) for part in operands]
                return module.And(*terms) if operator == "and" else module.Or(*terms)
            case Implication(premise=premise, conclusion=conclusion):
                return module.Implies(view.term(premise), view.term(conclusion))
            case Choice(then=then, condition=condition, otherwise=otherwise):
                return module.If(view.term(condition), view.term(then), view.term(otherwise))
            case _:
                return self._arithmetic(tree, view)

    def _arithmetic(self, tree: Number | Negative | Product | Arithmetic, view: View) -> Term:
        match tree:
            case Number(value=value):
                return self.number(value)
            case Negative(operand=operand):
                return -view.term(operand)
            case Product(left=left, right=right):
                return view.term(left) * view.term(right)
            case Arithmetic(operands=operands, operators=operators):
                total = view.term(operands[0])
                for operator, operand in zip(operators, operands[1:], strict=True):
                    term = view.term(operand)
                    total = total + term if operator == "+" else total - term
                return total

    def _comparison(self, tree: Comparison, view: View) -> Term:
        terms = [view.term(part) for part in tree.operands]
        pairs = zip(terms, tree.operators, terms[1:], strict=False)
        return self.all_of([_compared(left, operator, right) for left, operator, right in pairs])


def _compared(left: Term, operator: str, right: Term) -> Term:
    match operator:
        case "==":
            return left == right
        case "!=":
            return left != right
        case "<":
            return left < right
        case "<=":
            return left <= right
        case ">":
            return left > right
        case _:
            return left >= right
