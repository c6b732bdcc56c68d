"""Terms of z3 back as expressions of the definition language."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Final

from milepost_codegen.expressions.tree import (
    INT,
    Arithmetic,
    Comparison,
    Expression,
    Implication,
    Logic,
    Member,
    Number,
    Product,
    Read,
    Truth,
    negation,
)
from milepost_codegen.prove.solve.ask import Undecided

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from typing import Literal

    from milepost_codegen.expressions import Type
    from milepost_codegen.expressions.tree import ComparisonOperator
    from milepost_codegen.prove.solve.terms import Encoder, Term

__all__ = ["Reader"]


_OPERATORS: Final[Mapping[str, ComparisonOperator]] = {
    "is_eq": "==",
    "is_distinct": "!=",
    "is_le": "<=",
    "is_lt": "<",
    "is_ge": ">=",
    "is_gt": ">",
}
_OPPOSITE: Final[Mapping[ComparisonOperator, ComparisonOperator]] = {
    "==": "!=",
    "!=": "==",
    "<": ">=",
    "<=": ">",
    ">": "<=",
    ">=": "<",
}
_MIRRORED: Final[Mapping[ComparisonOperator, ComparisonOperator]] = {
    "==": "==",
    "!=": "!=",
    "<": ">",
    "<=": ">=",
    ">": "<",
    ">=": "<=",
}


def _sum(operands: Sequence[Expression]) -> Expression:
    if len(operands) == 1:
        return operands[0]
    plus: list[Literal["+", "-"]] = ["+"] * (len(operands) - 1)
    return Arithmetic(operands=tuple(operands), operators=tuple(plus))


class Reader:
    """Reads terms over the constants of entries; `entries` are those by name."""

    def __init__(self, encoder: Encoder, entries: Mapping[str, tuple[Type, Term]]) -> None:
        self.encoder = encoder
        self.z3 = encoder.z3
        self.names = {
            term.get_id(): Read(name=name, type=kind) for name, (kind, term) in entries.items()
        }

    def parts(self, term: Term) -> Iterator[Expression]:
        """What all must hold for `term` to hold."""
        if self.z3.is_and(term):
            for part in term.children():
                yield from self.parts(part)
        else:
            yield self.truth(term)

    def truth(self, term: Term) -> Expression:
        """A condition; raises Undecided where the language has no words for it."""
        module = self.z3
        if term.get_id() in self.names:
            return self.names[term.get_id()]
        if module.is_true(term) or module.is_false(term):
            return Truth(value=module.is_true(term))
        below = term.children()
        if module.is_and(term) or module.is_or(term):
            operator: Literal["and", "or"] = "and" if module.is_and(term) else "or"
            found = tuple(self.truth(part) for part in below)
            return found[0] if len(found) == 1 else Logic(operator=operator, operands=found)
        if module.is_not(term):
            if below[0].num_args() == 2 and self._ints(below[0]):
                return self.comparison(below[0], opposite=True)
            return negation(self.truth(below[0]))
        if module.is_implies(term):
            return Implication(premise=self.truth(below[0]), conclusion=self.truth(below[1]))
        if term.num_args() == 2 and module.is_bool(below[0]) and module.is_eq(term):
            operands = self.truth(below[0]), self.truth(below[1])
            return Comparison(operands=operands, operators=("==",))
        return self.comparison(term)

    def _ints(self, term: Term) -> bool:
        """True if `term` compares ints, and not members of enums."""
        compared = self.z3.is_int(term.children()[0])
        return compared and not any(read.type.members for read in self._reads(term))

    def comparison(self, term: Term, *, opposite: bool = False) -> Expression:
        """A comparison of ints, or one of members, whose cases are written out."""
        members = [read for read in self._reads(term) if read.type.members]
        if members:
            if len(members) < len(self._reads(term)):
                raise Undecided("an answer computes with members of enums")
            return self._cases(term, members)
        for name, operator in _OPERATORS.items():
            if getattr(self.z3, name)(term):
                left, right = term.children()
                return self._tidy(left - right, operator, opposite=opposite)
        raise Undecided(f"an answer has no words: {term.decl()}")

    def _tidy(self, term: Term, operator: ComparisonOperator, *, opposite: bool) -> Expression:
        """`term` compared with 0, what is subtracted in it put on the other side."""
        if opposite:
            operator = _OPPOSITE[operator]
        weights: dict[str, int] = {}
        rest = self._weigh(term, 1, weights)
        ordered = sorted((name, weight) for name, weight in weights.items() if weight)
        left: list[Expression] = [
            self._times(weight, name) for name, weight in ordered if weight > 0
        ]
        right: list[Expression] = [
            self._times(-weight, name) for name, weight in ordered if weight < 0
        ]
        if not left:
            left, right, rest, operator = right, left, -rest, _MIRRORED[operator]
        if operator == "<" and (not right or rest < 0):
            operator, rest = "<=", rest + 1
        elif operator == ">" and (not right or rest > 0):
            operator, rest = ">=", rest - 1
        if not right:
            right = [Number(value=-rest)]
        elif rest:
            (left if rest > 0 else right).append(Number(value=abs(rest)))
        return Comparison(operands=(_sum(left), _sum(right)), operators=(operator,))

    def _weigh(self, term: Term, factor: int, weights: dict[str, int]) -> int:
        """Adds to `weights` how often entries are in `term`; what else is in it."""
        module = self.z3
        below = term.children()
        if term.get_id() in self.names:
            name = self.names[term.get_id()].name
            weights[name] = weights.get(name, 0) + factor
            return 0
        if module.is_int_value(term):
            return factor * int(term.as_long())
        if module.is_add(term):
            return sum(self._weigh(part, factor, weights) for part in below)
        if module.is_sub(term):
            first = self._weigh(below[0], factor, weights)
            return first + sum(self._weigh(part, -factor, weights) for part in below[1:])
        if module.is_mul(term) and len(below) == 2 and module.is_int_value(below[0]):
            return self._weigh(below[1], factor * int(below[0].as_long()), weights)
        if module.is_app_of(term, module.Z3_OP_UMINUS):
            return self._weigh(below[0], -factor, weights)
        raise Undecided(f"an answer has no words: {term.decl()}")

    def _times(self, factor: int, name: str) -> Expression:
        read = Read(name=name, type=INT)
        return read if factor == 1 else Product(left=Number(value=factor), right=read)

    def _reads(self, term: Term) -> list[Read]:
        found: dict[str, Read] = {}
        waiting = [term]
        while waiting:
            node = waiting.pop()
            read = self.names.get(node.get_id())
            if read is not None:
                found[read.name] = read
            waiting += node.children()
        return [found[name] for name in sorted(found)]

    def _cases(self, term: Term, reads: list[Read]) -> Expression:
        """The members for which `term` holds, written out."""
        cases: list[Expression] = []
        constants = [self.encoder.constant(read.name, read.type) for read in reads]
        for values in itertools.product(*(read.type.members for read in reads)):
            pairs = [
                (constant, self.encoder.literal(read.type, value))
                for constant, read, value in zip(constants, reads, values, strict=True)
            ]
            if self.z3.is_true(self.z3.simplify(self.z3.substitute(term, *pairs))):
                equal: list[Expression] = [
                    Comparison(
                        operands=(read, Member(type=read.type, name=value)), operators=("==",)
                    )
                    for read, value in zip(reads, values, strict=True)
                ]
                whole = Logic(operator="and", operands=tuple(equal))
                cases.append(equal[0] if len(equal) == 1 else whole)
        if len(cases) > 1:
            return Logic(operator="or", operands=tuple(cases))
        return cases[0] if cases else Truth(value=False)
