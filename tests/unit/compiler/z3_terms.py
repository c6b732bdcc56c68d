"""Expressions as terms of z3: another reading of the language, to compare with."""

from __future__ import annotations

from typing import Any

import z3

from milepost_codegen.expressions import BOOL
from milepost_codegen.expressions.tree import (
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
    walk,
)

COMPARE = {
    "==": lambda a, b: a == b,
    "!=": lambda a, b: a != b,
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
}


def term(tree: Expression) -> Any:
    """The term of `tree`; members of enums are numbers."""
    match tree:
        case Number(value=value):
            return z3.IntVal(value)
        case Truth(value=value):
            return z3.BoolVal(value)
        case Member(type=kind, name=name):
            return z3.IntVal(kind.members.index(name))
        case Read(name=name, type=kind, payload=payload):
            key = f"event.{name}" if payload else name
            return z3.Bool(key) if kind == BOOL else z3.Int(key)
        case GuardUse(body=body):
            return term(body)
        case Negative(operand=operand):
            return -term(operand)
        case Not(operand=operand):
            return z3.Not(term(operand))
        case Product(left=left, right=right):
            return term(left) * term(right)
        case Arithmetic(operands=operands, operators=operators):
            total = term(operands[0])
            for sign, part in zip(operators, operands[1:], strict=True):
                total = total + term(part) if sign == "+" else total - term(part)
            return total
        case Comparison(operands=operands, operators=operators):
            values = [term(part) for part in operands]
            pairs = zip(values, operators, values[1:], strict=False)
            return z3.And(*(COMPARE[sign](left, right) for left, sign, right in pairs))
        case Logic(operator=operator, operands=operands):
            return (z3.And if operator == "and" else z3.Or)(*map(term, operands))
        case Implication(premise=premise, conclusion=conclusion):
            return z3.Implies(term(premise), term(conclusion))
        case Choice(then=then, condition=condition, otherwise=otherwise):
            return z3.If(term(condition), term(then), term(otherwise))


def satisfiable(tree: Expression) -> bool:
    """What z3 says."""
    solver = z3.Solver()
    solver.add(term(tree))
    for node in walk(tree):
        if isinstance(node, Read) and node.type.members:
            value = term(node)
            solver.add(value >= 0, value < len(node.type.members))
    answer = solver.check()
    assert answer != z3.unknown
    return bool(answer == z3.sat)
