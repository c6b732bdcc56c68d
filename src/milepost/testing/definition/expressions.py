"""Expressions of a definition, read by Python's own parser and walked as its syntax trees.

`implies` and the two other words that Python has no such operators for are written in its words
first; every name gets a sign, so that no keyword of Python is one. Nothing is ever run.
"""

from __future__ import annotations

import ast
import operator
import re
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, Final

__all__ = ["NotUnderstood", "conditions_in", "evaluate", "numbers_in"]

_WORDS: Final = frozenset({"and", "or", "not", "if", "else"})
_TOKEN: Final = re.compile(r"\s*([A-Za-z_]\w*|\d+|[<>=!]=|[-+*<>().])")
_COMPARE: Final[Mapping[type[ast.cmpop], Callable[[Any, Any], bool]]] = {
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
}
_RECKON: Final[Mapping[type[ast.operator], Callable[[Any, Any], Any]]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
}


class NotUnderstood(Exception):
    """A part of a definition that this reading has no meaning for; it says which."""


def evaluate(text: str, names: Mapping[str, Any], guards: Mapping[str, str]) -> Any:
    """The value of an expression.

    A name is an entry of `names`, else a guard, else a member of an enum, which stands for itself.
    Raises NotUnderstood.
    """
    return _value(_parsed(text), names, guards)


def numbers_in(text: str) -> set[int]:
    """The integers that are written in an expression."""
    return {
        node.value
        for node in ast.walk(_parsed(text))
        if isinstance(node, ast.Constant) and type(node.value) is int
    }


def conditions_in(text: str, guards: Mapping[str, str]) -> list[str]:
    """The comparisons and bare truth values in an expression and in the guards that it uses.

    Each stands once, in order of the text.
    """

    def found(node: ast.expr) -> list[str]:
        match node:
            case ast.Name(id=name) if name[1:] in guards:
                return found(_parsed(guards[name[1:]]))
            case ast.BoolOp(values=values):
                return [each for value in values for each in found(value)]
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                return found(operand)
            case ast.IfExp(test=test, body=body, orelse=orelse):
                return [*found(test), *found(body), *found(orelse)]
            case ast.Name(id="_true" | "_false"):
                return []
            case _:
                return [ast.unparse(node)]

    return list(dict.fromkeys(found(_parsed(text))))


def _value(  # noqa: PLR0912 one for each form
    node: ast.expr, names: Mapping[str, Any], guards: Mapping[str, str]
) -> Any:
    def of(part: ast.expr) -> Any:
        return _value(part, names, guards)

    match node:
        case ast.Constant(value=value):
            return value
        case ast.Name(id="_true" | "_false" as name):
            return name == "_true"
        case ast.Name(id=name):
            name = name[1:]
            if name in names:
                return names[name]
            return of(_parsed(guards[name])) if name in guards else name
        case ast.Attribute(value=ast.Name(id=owner), attr=attribute):
            entry = f"{owner[1:]}.{attribute[1:]}"
            if entry not in names:
                raise NotUnderstood(f"'{entry}' is nothing that can be read there")
            return names[entry]
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _RECKON:
            return _RECKON[type(op)](of(left), of(right))
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            return not of(operand)
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return -of(operand)
        case ast.BoolOp(op=ast.And(), values=values):
            return all(of(value) for value in values)
        case ast.BoolOp(op=ast.Or(), values=values):
            return any(of(value) for value in values)
        case ast.IfExp(test=test, body=body, orelse=orelse):
            return of(body) if of(test) else of(orelse)
        case ast.Compare(left=left, ops=ops, comparators=rights):
            at = of(left)
            for sign, right in zip(ops, rights, strict=True):
                after = of(right)
                if not _COMPARE[type(sign)](at, after):
                    return False
                at = after
            return True
        case _:
            raise NotUnderstood(f"'{ast.unparse(node)}' is no part of expressions")


@cache
def _parsed(text: str) -> ast.expr:
    tokens, at = [], 0
    while text[at:].strip():
        found = _TOKEN.match(text, at)
        if found is None:
            raise NotUnderstood(f"'{text[at:]}' in '{text}' is no part of expressions")
        tokens.append(found[1])
        at = found.end()
    try:
        source, rest = _choice(tokens)
        if rest:
            raise SyntaxError("more than an expression")
        return ast.parse(source, mode="eval").body
    except SyntaxError as error:
        raise NotUnderstood(f"'{text}' is no expression: {error}") from None


def _choice(tokens: list[str]) -> tuple[str, list[str]]:
    """`A if C else B` in Python's words, and what follows it."""
    then, rest = _implication(tokens)
    if rest[:1] != ["if"]:
        return then, rest
    condition, rest = _implication(rest[1:])
    if rest[:1] != ["else"]:
        raise SyntaxError("'else' is missing")
    otherwise, rest = _choice(rest[1:])
    return f"(({then}) if ({condition}) else ({otherwise}))", rest


def _implication(tokens: list[str]) -> tuple[str, list[str]]:
    """`A implies B` in Python's words, and what follows it."""
    premise, rest = _plain(tokens)
    if rest[:1] != ["implies"]:
        return premise, rest
    conclusion, rest = _implication(rest[1:])
    return f"(not ({premise}) or ({conclusion}))", rest


def _plain(tokens: list[str]) -> tuple[str, list[str]]:
    """What Python says alike, up to a word that it does not, with a sign before each name."""
    said: list[str] = []
    while tokens and tokens[0] not in ("implies", "if", "else", ")"):
        first, *tokens = tokens
        if first == "(":
            inner, tokens = _choice(tokens)
            if tokens[:1] != [")"]:
                raise SyntaxError("')' is missing")
            said.append(f"({inner})")
            tokens = tokens[1:]
        elif first[0].isalpha() and (first not in _WORDS or said[-1:] == ["."]):
            said.append(f"_{first}")
        else:
            said.append(first)
    if not said:
        raise SyntaxError("something is missing")
    return " ".join(said), tokens
