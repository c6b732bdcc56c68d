"""One change at a time in the code of a generated module, as a defect of the generator would be."""

from __future__ import annotations

import ast
import copy
from collections.abc import Iterator
from itertools import pairwise

COMPARISONS: dict[type[ast.cmpop], tuple[type[ast.cmpop], ...]] = {
    ast.Lt: (ast.LtE, ast.GtE),
    ast.LtE: (ast.Lt, ast.Gt),
    ast.Gt: (ast.GtE, ast.LtE),
    ast.GtE: (ast.Gt, ast.Lt),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.NotIn: (ast.In,),
}
SPECS = ("Transition", "MemberEvent")


def mutants(text: str, every: int = 1) -> Iterator[tuple[str, str, str]]:
    """The kind of each change, the name of the function or class that it is in, the text.

    With `every`, that of one change out of so many.
    """
    count = 0
    tree = ast.parse(text)
    places = [(top, node) for top in tree.body for node in ast.walk(top)]
    for top, node in places:
        before = copy.copy(vars(node))
        for kind in _changes(top, node):
            if count % every == 0:
                yield kind, getattr(top, "name", ""), ast.unparse(ast.fix_missing_locations(tree))
            count += 1
            _restore(node, before)


def _restore(node: ast.AST, before: dict[str, object]) -> None:
    vars(node).clear()
    vars(node).update(before)


def _changes(top: ast.stmt, node: ast.AST) -> Iterator[str]:
    """Make one change of `node` before each kind that is given."""
    decides = isinstance(top, ast.FunctionDef) and top.name.startswith(
        ("_item_", "_job_", "_box_", "_part_", "_order_", "item_", "job_", "box_", "order_")
    )
    match node:
        case ast.Compare(ops=[*ops]) if decides:
            for index, operator in enumerate(ops):
                for other in COMPARISONS.get(type(operator), ()):
                    node.ops = [*ops[:index], other(), *ops[index + 1 :]]
                    yield "comparison"
            node.ops = ops
            if len(ops) == 1 and isinstance(ops[0], ast.Lt):
                node.left = ast.BinOp(left=node.left, op=ast.Add(), right=ast.Constant(value=1))
                node.ops = [ast.LtE()]
                yield "same meaning"
        case ast.BoolOp(op=operator, values=values) if decides:
            node.op = ast.Or() if isinstance(operator, ast.And) else ast.And()
            yield "and/or"
            for index in range(len(values)):
                node.values = [*values[:index], *values[index + 1 :]]
                if len(node.values) == 1:
                    node.values = node.values * 2
                yield "dropped operand"
        case ast.BinOp(op=ast.Add() | ast.Sub()) if decides:
            node.op = ast.Sub() if isinstance(node.op, ast.Add) else ast.Add()
            yield "sign"
        case ast.UnaryOp(op=ast.Not(), operand=operand) if decides:
            node.operand = ast.UnaryOp(op=ast.Not(), operand=operand)
            yield "negation"
        case ast.If(test=test) if decides:
            node.test = ast.UnaryOp(op=ast.Not(), operand=test)
            yield "negation"
        case ast.Constant(value=bool(truth)) if decides:
            node.value = not truth
            yield "constant"
        case ast.Constant(value=int(number)) if decides:
            for change in (1, -1):
                node.value = number + change
                yield "constant"
        case ast.Dict(keys=[None, *_], values=values) if decides:
            keys = node.keys
            for index in range(1, len(values)):
                node.keys = [*keys[:index], *keys[index + 1 :]]
                node.values = [*values[:index], *values[index + 1 :]]
                yield "dropped assignment"
    yield from _of_rows(node)
    if isinstance(top, ast.ClassDef):
        yield from _of_methods(node)
    if decides and isinstance(node, ast.FunctionDef):
        yield from _swapped(node)


def _of_rows(node: ast.AST) -> Iterator[str]:
    match node:
        case ast.keyword(arg="target" | "source" | "event", value=ast.Constant(value=str(name))):
            node.value = ast.Constant(value=f"{name}_")
            yield f"wrong {node.arg}"
        case ast.keyword(arg="members", value=ast.Tuple(elts=[ast.Call(), *_] as sent)):
            for index in range(len(sent)):
                node.value = ast.Tuple(elts=[*sent[:index], *sent[index + 1 :]], ctx=ast.Load())
                yield "dropped member event"
        case ast.keyword(arg="ignored" | "uses_payload"):
            node.value = ast.Constant(value=False)
            yield "dropped mark"
        case ast.keyword(arg="initial", value=ast.Constant()):
            node.value = ast.Constant(value="elsewhere")
            yield "initial value"


def _of_methods(node: ast.AST) -> Iterator[str]:
    """A method that takes the step of another event: by another function, row, state, or name."""
    match node:
        case ast.FunctionDef(name=name, body=body) if any(
            isinstance(part, ast.Name) and part.id != "self" and part.id.isupper()
            for line in body
            for part in ast.walk(line)
        ):
            node.name = f"{name}_other"
            yield "wrong event in a method"
        case ast.Name(id=name) if name.startswith("_") and name.isupper():
            node.id = f"{name}_OTHER"
            yield "wrong row in a method"
        case ast.Call(func=ast.Name(id=name), args=[ast.Attribute(attr="_values"), _]) if (
            name.startswith("_")
        ):
            node.func = ast.Name(id=f"{name}_other", ctx=ast.Load())
            yield "wrong event in a method"


def _swapped(node: ast.FunctionDef) -> Iterator[str]:
    """Two rows of one function that picks, exchanged."""
    ways = [
        (index, line.body[0])
        for index, line in enumerate(node.body)
        if isinstance(line, ast.If)
        and isinstance(line.body[0], ast.Return)
        and isinstance(line.body[0].value, ast.Name)
    ]
    for (first, one), (second, other) in pairwise(ways):
        body = list(node.body)
        for index, way in ((first, other), (second, one)):
            line = body[index]
            assert isinstance(line, ast.If)
            body[index] = ast.If(test=line.test, body=[way], orelse=[])
        node.body = body
        yield "swapped rows"
