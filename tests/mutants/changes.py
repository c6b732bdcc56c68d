"""The mutants of a module: each is its source with one small change, of the kinds people make.

Comparisons, boolean and arithmetic operators, constants, conditions, values returned, statements,
arguments and cases left out, arguments swapped, defaults. Left as it is, because it decides
nothing: annotations, docstrings, imports, decorators, asserts for type checkers, and texts for
people, which are those with a blank in them and the words of an f-string.
"""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from types import CodeType

__all__ = ["Mutant", "code_of", "mutants"]

_COMPARISONS: dict[type[ast.cmpop], tuple[type[ast.cmpop], ...]] = {
    ast.Lt: (ast.LtE, ast.GtE),
    ast.LtE: (ast.Lt, ast.Gt),
    ast.Gt: (ast.GtE, ast.LtE),
    ast.GtE: (ast.Gt, ast.Lt),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
}
_OPERATORS: dict[type[ast.operator], tuple[type[ast.operator], ...]] = {
    ast.Add: (ast.Sub,),
    ast.Sub: (ast.Add, ast.BitAnd),  # of numbers, and of sets
    ast.Mult: (ast.Add,),
    ast.BitOr: (ast.BitAnd, ast.Sub),
    ast.BitAnd: (ast.BitOr, ast.Sub),
}
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
_NOT_CODE = (ast.Import, ast.ImportFrom, ast.Assert, ast.Pass, ast.Global, ast.Nonlocal)
_UNREAD = frozenset(("annotation", "returns", "decorator_list", "format_spec", "type_params"))
_SHORT = 24
_SHOWN = 64


@dataclass(frozen=True, kw_only=True)
class Mutant:
    """One change of one module. Its name stays as long as what it changes reads the same."""

    module: str
    place: str
    """The function or class that it is in, `-` for neither."""
    function: str
    """The function whose code it changes, `""` where it changes what a module does on import."""
    text: str
    """What is changed into what."""
    number: int
    """From 1, among those of the place that read alike."""
    lines: range
    """Those of its statement: a test that runs none of them cannot notice."""
    compiled: Callable[[], CodeType]
    """The code of the whole module with the change."""

    @property
    def name(self) -> str:
        """By which survivors and the sample are told."""
        again = f" #{self.number}" if self.number > 1 else ""
        return f"{self.module}:{self.place}: {self.text}{again}"


@dataclass(frozen=True, kw_only=True)
class _Change:
    """`new` for what an attribute of a node holds, or one of a list there; None leaves it out."""

    holder: ast.AST
    attribute: str
    index: int | None
    new: ast.AST | None
    text: str


@dataclass(frozen=True, kw_only=True)
class _At:
    """Where a walk is: the classes around it, the function, and the statement."""

    path: str = ""
    function: str = ""
    place: str = "-"
    lines: range = range(0)
    shown: str = ""


def mutants(module: str, source: str, file: str) -> Iterator[Mutant]:
    """Every mutant of a module, in the order of its text."""
    tree = ast.parse(source)
    met: Counter[tuple[str, str]] = Counter()
    for at, change in _in_body(tree, _At()):
        met[at.place, change.text] += 1
        yield Mutant(
            module=module,
            place=at.place,
            function=at.function,
            text=change.text,
            number=met[at.place, change.text],
            lines=at.lines,
            compiled=lambda change=change: _compiled(tree, change, file),
        )


def code_of(code: CodeType, function: str) -> CodeType:
    """The code of a function, by its qualified name, in the code of a module or class."""
    for each in code.co_consts:
        if isinstance(each, CodeType):
            if each.co_qualname == function:
                return each
            if function.startswith(f"{each.co_qualname}."):
                return code_of(each, function)
    raise LookupError(function)


def _compiled(tree: ast.Module, change: _Change, file: str) -> CodeType:
    """The code of the tree with that change, which is taken back."""
    held = getattr(change.holder, change.attribute)
    new: object = change.new
    if change.index is not None:
        kept = [] if new is None else [new]
        new = [*held[: change.index], *kept, *held[change.index + 1 :]]
    setattr(change.holder, change.attribute, new)
    try:
        return compile(ast.fix_missing_locations(tree), file, "exec", dont_inherit=True)
    finally:
        setattr(change.holder, change.attribute, held)


def _in_body(holder: ast.AST, at: _At) -> Iterator[tuple[_At, _Change]]:
    """What can be changed in the statements that a node holds."""
    for attribute in ("body", "orelse", "finalbody"):
        held = getattr(holder, attribute, None)
        for index, statement in enumerate(held if isinstance(held, list) else ()):
            if isinstance(statement, _NOT_CODE) or _is_docstring(statement) or _is_told(statement):
                continue
            yield from _in_statement(statement, at)
            if _is_removable(statement):
                here = _beside(at, statement)
                text = f"left out: {_said(statement)}"
                new = ast.Pass()
                change = _Change(
                    holder=holder, attribute=attribute, index=index, new=new, text=text
                )
                yield here, change
    for handler in getattr(holder, "handlers", ()):
        yield from _in_body(handler, at)
    cases: list[ast.match_case] = getattr(holder, "cases", [])
    for index, case in enumerate(cases):
        if len(cases) > 1:
            text = f"left out: case {ast.unparse(case.pattern)}"
            yield (
                _beside(at, case.pattern),
                _Change(holder=holder, attribute="cases", index=index, new=None, text=text),
            )
        yield from _in_body(case, at)


def _in_statement(statement: ast.stmt, at: _At) -> Iterator[tuple[_At, _Change]]:
    if isinstance(statement, ast.ClassDef):
        path = f"{at.path}{statement.name}"
        yield from _in_body(statement, _At(path=f"{path}.", function=at.function, place=path))
        return
    if isinstance(statement, _FUNCTIONS):
        place = at.place if at.function else f"{at.path}{statement.name}"
        defaults = _At(function=at.function, place=place, lines=_header(statement))
        for attribute in ("defaults", "kw_defaults"):
            yield from _in_list(statement.args, attribute, defaults)
        within = at.function or place
        yield from _in_body(statement, _At(function=within, place=within))
        return
    here = _beside(at, statement)
    for change in _in_fields(statement, here.shown):
        yield here, change
    yield from _in_body(statement, at)


def _in_list(holder: ast.AST, attribute: str, at: _At) -> Iterator[tuple[_At, _Change]]:
    for index, each in enumerate(getattr(holder, attribute)):
        if each is not None:
            for change in _in_node(each, holder, attribute, index, "default"):
                yield at, change


def _in_fields(node: ast.AST, shown: str) -> Iterator[_Change]:
    """What can be changed in the expressions that a node is made of, but for statements in it."""
    if isinstance(node, ast.JoinedStr):
        for part in node.values:
            if isinstance(part, ast.FormattedValue):
                yield from _in_node(part.value, part, "value", None, shown)
        return
    for attribute, held in ast.iter_fields(node):
        if attribute in _UNREAD:
            continue
        for index, each in enumerate(held) if isinstance(held, list) else [(None, held)]:
            if isinstance(each, ast.expr | ast.comprehension | ast.keyword | ast.withitem):
                yield from _in_node(each, node, attribute, index, shown)


def _in_node(
    node: ast.AST, holder: ast.AST, attribute: str, index: int | None, shown: str
) -> Iterator[_Change]:
    """What can be changed in `node`, which `holder` has there, and in what it is made of."""

    def change(new: ast.AST | None, text: str = "") -> _Change:
        if not text:
            text = f"{ast.unparse(node)} → {ast.unparse(new) if new else 'nothing'}"
            if len(text) <= _SHORT:
                text = f"{text} in {shown}"
        return _Change(holder=holder, attribute=attribute, index=index, new=new, text=text)

    yield from (change(new) for new in _instead(node))
    match node:
        case ast.keyword(arg=str(name)) if isinstance(holder, ast.Call):
            yield change(None, f"left out: {name}= of {_one_line(ast.unparse(holder.func))}")
        case ast.comprehension():
            for place, condition in enumerate(node.ifs):
                text = f"left out: if {_one_line(ast.unparse(condition))}"
                yield _Change(holder=node, attribute="ifs", index=place, new=None, text=text)
    tested = isinstance(holder, ast.If | ast.While | ast.IfExp) and attribute == "test"
    if tested and not isinstance(node, ast.Compare | ast.UnaryOp):
        yield change(ast.UnaryOp(op=ast.Not(), operand=node))
    if isinstance(holder, ast.Return) and not _is_constant(node, None):
        yield change(ast.Constant(value=None), f"return {_one_line(ast.unparse(node))} → None")
    yield from _in_fields(node, shown)


def _instead(node: ast.AST) -> Iterator[ast.expr]:
    """The expressions that are to stand in the place of one."""
    match node:
        case ast.Compare(left=left, ops=operators, comparators=others):
            for index, operator in enumerate(operators):
                for other in _COMPARISONS[type(operator)]:
                    changed = [*operators[:index], other(), *operators[index + 1 :]]
                    yield ast.Compare(left=left, ops=changed, comparators=others)
        case ast.BoolOp(op=operator, values=values):
            other = ast.Or() if isinstance(operator, ast.And) else ast.And()
            yield ast.BoolOp(op=other, values=values)
            for index in range(len(values)):
                rest = [*values[:index], *values[index + 1 :]]
                yield ast.BoolOp(op=operator, values=rest) if len(rest) > 1 else rest[0]
        case ast.UnaryOp(op=ast.Not() | ast.USub(), operand=operand):
            yield operand
        case ast.BinOp(left=left, op=operator, right=right):
            for kind in _OPERATORS.get(type(operator), ()):
                yield ast.BinOp(left=left, op=kind(), right=right)
        case ast.Constant(value=bool() as value):
            yield ast.Constant(value=not value)
        case ast.Constant(value=int() as value):
            yield ast.Constant(value=value + 1)
        case ast.Constant(value=str() as value) if " " not in value:
            yield ast.Constant(value=f"{value}~")
        case ast.Constant(value=bytes() as value):
            yield ast.Constant(value=value + b"~")
        case ast.Call(func=func, args=args, keywords=keywords):
            for index, (one, other) in enumerate(pairwise(args)):
                if ast.dump(one) != ast.dump(other):
                    swapped = [*args[:index], other, one, *args[index + 2 :]]
                    yield ast.Call(func=func, args=swapped, keywords=keywords)


def _is_constant(node: ast.AST, value: object) -> bool:
    return isinstance(node, ast.Constant) and node.value is value


def _is_docstring(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)


def _is_told(statement: ast.stmt) -> bool:
    """True of what only tools read: the names that a module exports, and aliases of types."""
    if isinstance(statement, ast.AnnAssign):
        return statement.value is None or ast.unparse(statement.annotation) == "TypeAlias"
    return isinstance(statement, ast.Assign) and ast.unparse(statement.targets[0]) == "__all__"


def _is_removable(statement: ast.stmt) -> bool:
    """True of a statement without which the rest can run: names are set as before."""
    match statement:
        case ast.Assign(targets=targets):
            return all(isinstance(one, ast.Attribute | ast.Subscript) for one in targets)
        case ast.Expr() | ast.AugAssign() | ast.Raise() | ast.Delete():
            return True
        case ast.Continue() | ast.Break():
            return True
    return False


def _beside(at: _At, node: ast.stmt | ast.pattern) -> _At:
    shown = _said(node) if isinstance(node, ast.stmt) else ""
    return _At(path=at.path, function=at.function, place=at.place, lines=_header(node), shown=shown)


def _header(node: ast.stmt | ast.pattern) -> range:
    """The lines of a statement, but for the statements in it."""
    body = getattr(node, "body", None) or getattr(node, "cases", None)
    if not isinstance(body, list):
        return range(node.lineno, (node.end_lineno or node.lineno) + 1)
    first = body[0].pattern if isinstance(body[0], ast.match_case) else body[0]
    return range(node.lineno, max(first.lineno, node.lineno + 1))


def _said(statement: ast.stmt) -> str:
    first = ast.unparse(statement).partition("\n")[0]
    return _one_line(first)


def _one_line(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
