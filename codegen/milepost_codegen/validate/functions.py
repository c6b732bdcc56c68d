"""The functions of a module that decide: conditions, what they pick, and what they assign."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from milepost_codegen.expressions import BOOL
from milepost_codegen.expressions.substitute import either
from milepost_codegen.expressions.tree import Logic, Not, Read, Truth
from milepost_codegen.validate.difference import Different
from milepost_codegen.validate.equal import form, opposite, prove_equal
from milepost_codegen.validate.terms import Reader

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from milepost_codegen.expressions import Expression, Type
    from milepost_codegen.model import Assignment, Invariant, Transition
    from milepost_codegen.validate.terms import Types

__all__ = ["assigns", "body_of", "holds", "holds_in", "selects"]


def holds(function: ast.FunctionDef, meant: Expression, types: Types) -> None:
    """Return if a function of the context says whether `meant` holds. Raises Different."""
    prove_equal(
        _returned(body_of(function), _reader(function, types, "context")),
        meant,
        "does not hold exactly where its condition does",
        function.lineno,
    )


def holds_in(function: ast.FunctionDef, meant: Invariant, types: Types) -> None:
    """Return if a function of state and context says what an invariant does. Raises Different."""
    reader = _reader(function, types, "state", "context")
    body = body_of(function)
    states: tuple[str, ...] | None = None
    match body:
        case [
            ast.If(test=test, body=[ast.Return(value=ast.Constant(value=True))], orelse=[]),
            *rest,
        ]:
            states, body = _elsewhere(test), rest
    if states is not None and "state" not in reader.given:
        raise Different("does not ask for its own state", function.lineno)
    if (None if states is None else set(states)) != (
        None if meant.states is None else set(meant.states)
    ):
        raise Different("is not looked at in the states of its invariant", function.lineno)
    prove_equal(
        _returned(body, reader),
        meant.holds,
        "does not hold exactly where its invariant does",
        function.lineno,
    )


def assigns(
    function: ast.FunctionDef | None,
    meant: Sequence[Assignment],
    types: Types,
    *,
    whole: bool = True,
) -> None:
    """Return if a function gives every entry the value that it is assigned. Raises Different.

    With `whole` it gives the other entries as they were; without, it gives no others.
    """
    if function is None:
        found: dict[str, ast.expr] = {}
        reader = Reader(types, frozenset(), {})
    else:
        parameters = ("context", "payload") if whole else ("context",)
        reader = _reader(function, types, *parameters)
        *before, last = body_of(function)
        for line in before:
            if not isinstance(line, ast.Assign):
                raise Different("has a statement that is not understood", line.lineno)
        found = _entries(last, whole=whole)
        kinds = _local_types(found, types)
        for line in before:
            assert isinstance(line, ast.Assign)
            (target,) = line.targets
            name = target.id if isinstance(target, ast.Name) else ""
            reader.assign(line, kinds.get(name))
    values = {one.name: one.value for one in meant}
    for name in {**values, **found}:
        kind = types.entries.get(name)
        if kind is None or (not whole and (name not in values or name not in found)):
            raise Different(f"gives other entries than are assigned, as {name!r}")
        kept = Read(name=name, type=kind)
        code = reader.read(found[name], kind) if name in found else kept
        line_of = found[name].lineno if name in found else 0
        prove_equal(code, values.get(name, kept), f"gives another value to {name!r}", line_of)


def selects(
    function: ast.FunctionDef,
    rows: Sequence[Transition],
    ids: Mapping[str, str],
    types: Types,
) -> None:
    """Return if a function picks the first of `rows` whose guard holds. Raises Different.

    Args:
        function: Of the context and the payload.
        rows: All rows of one state and event.
        ids: The ids of the rows that constants of the module hold.
        types: What the guards may read.
    """
    code = _ways(function, ids, types)
    meant = _meant(rows)
    if [(form(test), one) for test, one in code] == [(form(test), one) for test, one in meant]:
        return
    for one in dict.fromkeys([picked for _, picked in (*code, *meant)]):
        if one is not None:
            what = f"does not pick {one!r} exactly where its guard holds"
            prove_equal(_picks(code, one), _picks(meant, one), what, function.lineno)


def body_of(function: ast.FunctionDef) -> list[ast.stmt]:
    """The statements of a function but its docstring."""
    match function.body:
        case [ast.Expr(value=ast.Constant(value=str())), *rest]:
            return rest
    return function.body


def _reader(function: ast.FunctionDef, types: Types, *wanted: str) -> Reader:
    """A reader of the function, if its parameters are those, each perhaps unused: with `_`."""
    taken = function.args
    names = [one.arg for one in taken.args]
    others = (taken.posonlyargs, taken.kwonlyargs, taken.defaults, taken.kw_defaults)
    plain = not any(others) and taken.vararg is None and taken.kwarg is None
    if (
        not plain
        or function.decorator_list
        or [name.removeprefix("_") for name in names] != list(wanted)
    ):
        raise Different("has other parameters than it must have", function.lineno)
    return Reader(types, frozenset(name for name in names if name in wanted), {})


def _returned(body: list[ast.stmt], reader: Reader) -> Expression:
    """What a body of assignments with a `return` after them returns, a truth value."""
    for line in body[:-1]:
        if not isinstance(line, ast.Assign):
            raise Different("has a statement that is not understood", line.lineno)
        reader.assign(line)
    match body:
        case [*_, ast.Return(value=ast.expr() as value)]:
            return reader.read(value, BOOL)
    raise Different("does not end with a value")


def _elsewhere(test: ast.expr) -> tuple[str, ...]:
    """The states that a test on `state` lets through."""
    match test:
        case ast.Compare(
            left=ast.Name(id="state"), ops=[ast.NotEq()], comparators=[ast.Constant(value=str(one))]
        ):
            return (one,)
        case ast.Compare(
            left=ast.Name(id="state"), ops=[ast.NotIn()], comparators=[ast.Tuple(elts=elements)]
        ):
            found = tuple(
                part.value
                for part in elements
                if isinstance(part, ast.Constant) and isinstance(part.value, str)
            )
            if len(found) == len(elements):
                return found
    raise Different("asks for its state in a way that is not understood", test.lineno)


def _entries(last: ast.stmt, *, whole: bool) -> dict[str, ast.expr]:
    """The entries of the dict that is returned, those of the context first where it is whole."""
    match last:
        case ast.Return(value=ast.Dict(keys=keys, values=values)):
            pairs = list(zip(keys, values, strict=True))
        case _:
            raise Different("does not end with a dict", last.lineno)
    if whole:
        match pairs:
            case [(None, ast.Name(id="context")), *rest]:
                pairs = rest
            case _:
                raise Different("does not keep the other entries", last.lineno)
    found: dict[str, ast.expr] = {}
    for key, value in pairs:
        match key:
            case ast.Constant(value=str(name)) if name not in found:
                found[name] = value
            case _:
                raise Different("has an entry that is not understood", last.lineno)
    return found


def _local_types(found: Mapping[str, ast.expr], types: Types) -> dict[str, Type]:
    """The types of local names that stand for an entry's value."""
    return {
        value.id: types.entries[name]
        for name, value in found.items()
        if isinstance(value, ast.Name) and name in types.entries
    }


def _ways(
    function: ast.FunctionDef, ids: Mapping[str, str], types: Types
) -> list[tuple[Expression, str | None]]:
    """What a function picks under which condition, in its order."""
    reader = _reader(function, types, "context", "payload")
    found: list[tuple[Expression, str | None]] = []
    for line in body_of(function):
        if found and form(found[-1][0]) == Truth(value=True):
            raise Different("goes on after it has picked a row", line.lineno)
        match line:
            case ast.Assign():
                reader.assign(line)
            case ast.If(test=test, body=[ast.Return(value=value)], orelse=[]):
                found.append((reader.read(test, BOOL), _picked(value, ids, line.lineno)))
            case ast.Return(value=value):
                found.append((Truth(value=True), _picked(value, ids, line.lineno)))
            case _:
                raise Different("has a statement that is not understood", line.lineno)
    if not found or found[-1][0] != Truth(value=True):
        raise Different("may end without an answer", function.lineno)
    return found


def _picked(value: ast.expr | None, ids: Mapping[str, str], line: int) -> str | None:
    match value:
        case ast.Constant(value=None):
            return None
        case ast.Name(id=name) if name in ids:
            return ids[name]
    raise Different("picks what is no row", line)


def _meant(rows: Sequence[Transition]) -> list[tuple[Expression, str | None]]:
    """The rows of the definition in their order, each with its guard."""
    found: list[tuple[Expression, str | None]] = []
    for one in rows:
        if one.guard is None or (one is rows[-1] and _is_rest(one, rows)):
            return [*found, (Truth(value=True), one.id)]
        found.append((one.guard, one.id))
    return [*found, (Truth(value=True), None)]


def _is_rest(last: Transition, rows: Sequence[Transition]) -> bool:
    """True if the guard of the last row is the negation of all the others, seen by its form.

    What is `otherwise` beside rows into a history is left to the proof: several rows share what is
    written there, one for each state that may be remembered.
    """
    others = [one.written for one in rows[:-1] if one.written is not None and not one.history]
    if last.guard is None or last.history or len(others) < len(rows) - 1 or not others:
        return False
    return _cases(opposite(form(last.guard))) == _cases(form(either(others)))


def _cases(tree: Expression) -> set[Expression]:
    """The operands of an `or`, in any order."""
    return set(tree.operands if isinstance(tree, Logic) and tree.operator == "or" else (tree,))


def _picks(ways: Sequence[tuple[Expression, str | None]], wanted: str) -> Expression:
    """When a chain of tests picks the row of that id."""
    cases: list[Expression] = []
    before: list[Expression] = []
    for test, one in ways:
        if one == wanted:
            cases.append(Logic(operator="and", operands=(*before, test)) if before else test)
        before.append(Not(operand=test))
    return either(cases) if cases else Truth(value=False)
