"""A condition as clauses over literals, with what each literal says of truth values and integers.

A literal is a number that is not 0; its opposite is the negative number. Enums are integers here:
each member has a number, and a variable of an enum is bounded to the numbers of its members.
Every comparison becomes `sum of terms <= bound` or its opposite, with the sum in one normal form,
so that comparisons of the same sum order each other; `==` is a pair of them.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from milepost_codegen.expressions import BOOL, evaluate, type_of
from milepost_codegen.expressions.tree import (
    Arithmetic,
    Choice,
    Comparison,
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
    reads,
)
from milepost_codegen.logic.integers import reduced

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from milepost_codegen.expressions import Expression, Type
    from milepost_codegen.expressions.tree import ComparisonOperator
    from milepost_codegen.logic.integers import Terms
    from milepost_codegen.logic.work import Work

__all__ = ["TRUE", "Clauses", "Unknown", "unknowns"]

TRUE: Final = 1
"""The literal that always holds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unknown:
    """Something that a condition reads; `key` is the entry's name, or `event.NAME`."""

    key: str
    type: Type
    members: tuple[str, ...]  # of an enum: those that it may have

    @property
    def least(self) -> int | bool | str:
        """The value that is tried first: 0, false, or the first member."""
        if self.members:
            return self.members[0]
        return False if self.type == BOOL else 0


def unknowns(tree: Expression) -> dict[str, Unknown]:
    """What `tree` reads, by key, in the order of the text.

    What is read as two enums, as of two versions of a definition, has a member of both; a
    ValueError says that one name is read with types that have nothing in common.
    """
    found: dict[str, Unknown] = {}
    for node in reads(tree):
        key = node.key
        before = found.get(key)
        members = node.type.members
        if before is not None and before.type != node.type:
            members = tuple(one for one in before.members if one in members)
            if not members:
                message = f"'{key}' is read as {before.type.name} and as {node.type.name}"
                raise ValueError(message)
        if before is None or before.members != members:
            found[key] = Unknown(key=key, type=node.type, members=members)
    return found


@dataclass(slots=True)
class Clauses:
    """The clauses of one condition.

    `sums` maps each sum of terms to the literals that bound it, by bound: the literal of 3 says
    that the sum is at most 3. `switches` maps what is read as a truth value to its literal, and
    `numbers` maps what is read as an integer or enum to its variable. `hints` says of each
    literal's variable whether it holds where every unknown has its least value.
    """

    work: Work
    clauses: list[tuple[int, ...]] = field(default_factory=lambda: [(TRUE,)])
    count: int = 1
    sums: dict[Terms, dict[int, int]] = field(default_factory=dict)
    switches: dict[str, int] = field(default_factory=dict)
    numbers: dict[str, int] = field(default_factory=dict)
    codes: dict[str, int] = field(default_factory=dict)  # members of enums, by name
    hints: list[bool] = field(default_factory=lambda: [False, True])
    first: dict[int, int] = field(default_factory=dict)  # the least value of each variable
    _known: dict[Expression, int] = field(default_factory=dict)
    _choices: dict[Expression, int] = field(default_factory=dict)

    def read(self, found: Iterable[Unknown]) -> None:
        """Make a literal or variable of each unknown, and bound those of enums."""
        for one in found:
            for member in (*one.type.members, *one.members):
                self.codes.setdefault(member, len(self.codes))
            if one.type == BOOL:
                self.switches[one.key] = self.fresh(hint=False)
                continue
            number = self.variable(self.codes[one.members[0]] if one.members else 0)
            self.numbers[one.key] = number
            if one.members:
                allowed = sorted(self.codes[member] for member in one.members)
                self.require(self.at_most({number: 1}, allowed[-1]))
                self.require(-self.at_most({number: 1}, allowed[0] - 1))
                for code in range(allowed[0], allowed[-1]):
                    if code not in allowed:
                        self.require(-self.exactly({number: 1}, code))

    def require(self, *literals: int) -> None:
        """At least one of the literals holds."""
        self.work.spend(1 + len(literals))
        self.clauses.append(literals)

    def fresh(self, *, hint: bool) -> int:
        """A new literal."""
        self.count += 1
        self.hints.append(hint)
        return self.count

    def variable(self, first: int) -> int:
        """A new variable of the integers."""
        self.first[len(self.first)] = first
        return len(self.first) - 1

    def hint(self, literal: int) -> bool:
        """Whether the literal holds where every unknown has its least value."""
        return self.hints[abs(literal)] == (literal > 0)

    def ordered(self) -> None:
        """Say of all bounds on one sum that the lower implies the higher."""
        for bounds in self.sums.values():
            ranked = [bounds[bound] for bound in sorted(bounds)]
            for lower, higher in itertools.pairwise(ranked):
                self.require(-lower, higher)

    def at_most(self, terms: Mapping[int, int], bound: int) -> int:
        """The literal that says so."""
        normal, divisor = reduced(terms)
        if not normal:
            return TRUE if bound >= 0 else -TRUE
        if divisor > 0:
            return self._bounded(normal, bound // divisor)
        return -self._bounded(normal, -(bound // -divisor) - 1)

    def _bounded(self, normal: Terms, bound: int) -> int:
        bounds = self.sums.setdefault(normal, {})
        if bound not in bounds:
            at_least = sum(factor * self.first[name] for name, factor in normal)
            bounds[bound] = self.fresh(hint=at_least <= bound)
        return bounds[bound]

    def exactly(self, terms: Mapping[int, int], value: int) -> int:
        """The literal that says so."""
        _, divisor = reduced(terms)
        if value % divisor:
            return -TRUE
        return self.all_of((self.at_most(terms, value), -self.at_most(terms, value - 1)))

    def all_of(self, literals: Iterable[int]) -> int:
        """The literal that says that all of them hold."""
        kept = dict.fromkeys(one for one in literals if one != TRUE)
        if -TRUE in kept or any(-one in kept for one in kept):
            return -TRUE
        if len(kept) < 2:
            return next(iter(kept), TRUE)
        own = self.fresh(hint=all(self.hint(one) for one in kept))
        for one in kept:
            self.require(-own, one)
        self.require(own, *(-one for one in kept))
        return own

    def any_of(self, literals: Iterable[int]) -> int:
        """The literal that says that one of them holds."""
        return -self.all_of(-one for one in literals)

    def chosen(self, condition: int, then: int, otherwise: int) -> int:
        """The literal that is as `then` where the condition holds, else as `otherwise`."""
        return self.all_of((self.any_of((-condition, then)), self.any_of((condition, otherwise))))

    def same(self, first: int, second: int) -> int:
        """The literal that says that both hold or neither does."""
        return self.chosen(first, second, -second)

    def literal(self, tree: Expression) -> int:
        """The literal that holds where `tree` does."""
        self.work.spend()
        match tree:
            case Truth(value=value):
                return TRUE if value else -TRUE
            case GuardUse(body=body):
                return self.literal(body)
            case Not(operand=operand):
                return -self.literal(operand)
            case Read(name=name, payload=payload):
                return self.switches[f"event.{name}" if payload else name]
        known = self._known.get(tree)
        if known is None:
            known = self._known[tree] = self._composed(tree)
        return known

    def _composed(self, tree: Expression) -> int:
        match tree:
            case Logic(operator=operator, operands=operands):
                gate = self.all_of if operator == "and" else self.any_of
                return gate([self.literal(part) for part in operands])
            case Implication(premise=premise, conclusion=conclusion):
                return self.any_of((-self.literal(premise), self.literal(conclusion)))
            case Choice(then=then, condition=condition, otherwise=otherwise):
                return self.chosen(
                    self.literal(condition), self.literal(then), self.literal(otherwise)
                )
            case Comparison(operands=operands, operators=operators):
                pairs = zip(operands, operators, operands[1:], strict=False)
                return self.all_of([self._link(*pair) for pair in pairs])
            case _:
                raise TypeError(tree)

    def _link(self, left: Expression, operator: ComparisonOperator, right: Expression) -> int:
        if type_of(left) == BOOL:
            same = self.same(self.literal(left), self.literal(right))
            return same if operator == "==" else -same
        terms: dict[int, int] = {}
        constant = self._add(left, 1, terms) + self._add(right, -1, terms)
        match operator:
            case "==":
                return self.exactly(terms, -constant)
            case "!=":
                return -self.exactly(terms, -constant)
            case "<=":
                return self.at_most(terms, -constant)
            case "<":
                return self.at_most(terms, -constant - 1)
            case ">":
                return -self.at_most(terms, -constant)
            case ">=":
                return -self.at_most(terms, -constant - 1)

    def _add(self, tree: Expression, factor: int, terms: dict[int, int]) -> int:
        """Add `factor` times `tree` to the terms; the constant part of it is returned."""
        self.work.spend()
        match tree:
            case Number(value=value):
                return factor * value
            case Member(name=name):
                return factor * self.codes.setdefault(name, len(self.codes))
            case Read(name=name, payload=payload):
                number = self.numbers[f"event.{name}" if payload else name]
            case Negative(operand=operand):
                return self._add(operand, -factor, terms)
            case Arithmetic(operands=operands, operators=operators):
                return sum(
                    self._add(part, factor if sign == "+" else -factor, terms)
                    for sign, part in zip(("+", *operators), operands, strict=True)
                )
            case Product(left=left, right=right):
                return self._multiplied(left, right, factor, terms)
            case Choice():
                number = self._choice(tree)
            case _:
                raise TypeError(tree)
        terms[number] = terms.get(number, 0) + factor
        return 0

    def _multiplied(
        self, left: Expression, right: Expression, factor: int, terms: dict[int, int]
    ) -> int:
        """Add a product of which one side is constant."""
        for side, other in ((left, right), (right, left)):
            if not reads(side):
                return self._add(other, factor * self._constant(side), terms)
        raise TypeError(left)

    def _constant(self, tree: Expression) -> int:
        value = evaluate(tree, {}, {})
        assert isinstance(value, int)
        return value

    def _choice(self, tree: Choice) -> int:
        """The variable that has the value of a choice between integers or members."""
        known = self._choices.get(tree)
        if known is not None:
            return known
        condition = self.literal(tree.condition)
        sides: list[tuple[dict[int, int], int]] = []
        for side in (tree.then, tree.otherwise):
            terms: dict[int, int] = {}
            sides.append((terms, self._add(side, 1, terms)))
        terms, constant = sides[0] if self.hint(condition) else sides[1]
        first = constant + sum(factor * self.first[name] for name, factor in terms.items())
        own = self._choices[tree] = self.variable(first)
        for (part, rest), when in zip(sides, (condition, -condition), strict=True):
            self.require(-when, self.exactly({own: 1} | {k: -f for k, f in part.items()}, rest))
        return own
