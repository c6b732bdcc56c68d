"""Defects planted in generated code are found; what is not found is equal, as z3 says, too."""

from __future__ import annotations

import ast
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import z3
from click.testing import CliRunner

from milepost_codegen.cli import compile_command
from milepost_codegen.compiler import compile_definition
from milepost_codegen.expressions import BOOL
from milepost_codegen.model import Lifecycle
from milepost_codegen.python import emit_python
from milepost_codegen.validate import validate_module

from .mutants import mutants

HERE = Path(__file__).parent
ROOT = HERE.parents[3]
# Each definition: every how many mutants one is tried, and how many are then killed at least.
TRIED = {
    "statemachine.yaml": (59, 13),
    "examples/orders/orders.yaml": (1, 149),
    "tests/unit/compiler/validate/mixed.yaml": (1, 228),
}
KINDS = {
    "comparison",
    "constant",
    "negation",
    "dropped assignment",
    "wrong target",
    "swapped rows",
    "wrong event in a method",
    "wrong row in a method",
}


def lifecycle_of(file: str) -> Lifecycle:
    return compile_definition((ROOT / file).read_bytes(), file).lifecycle


@pytest.mark.parametrize("file", TRIED)
def test_defects_planted_in_generated_code_are_found(file: str, record_property: Any) -> None:
    """Each mutant is found, or z3 proves that it decides and assigns as the module itself does."""
    lifecycle = lifecycle_of(file)
    text = emit_python(lifecycle)
    assert validate_module(text, lifecycle) == ()
    every, least = TRIED[file]
    counts: Counter[str] = Counter(found=0, equal=0)
    kinds: Counter[str] = Counter()
    for kind, name, mutant in mutants(text, every):
        if validate_module(mutant, lifecycle):
            assert kind != "same meaning", name
            counts["found"] += 1
            kinds[kind] += 1
            continue
        assert equal_by_z3(lifecycle, name, text, mutant), (kind, name)
        counts["equal"] += 1
    record_property("counted", ("mutants of generated code", dict(counts)))
    assert counts["found"] >= least, counts
    assert counts["equal"] or every > 1, counts
    assert counts["found"] >= 19 * counts["equal"], counts
    if every == 1:
        assert set(kinds) >= KINDS, KINDS - set(kinds)


def test_a_defect_of_the_generator_is_never_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A wrong negation, of which no test of an expression knows: exit 1, and no file."""
    definition = HERE / "mixed.yaml"
    asked = [str(definition), "--out", str(tmp_path / "made")]
    opposite = {"==": "!=", "!=": "==", "<": ">", "<=": ">", ">": "<=", ">=": "<"}
    with monkeypatch.context() as planted:
        planted.setattr("milepost_codegen.expressions.python._OPPOSITE", opposite)
        for extra in ([], ["--check"]):
            done = CliRunner().invoke(compile_command, [*asked, *extra])
            assert done.exit_code == 1, done.output
            assert "E905 generated code that says something else: _box_low_fill" in done.output
            assert "as with" in done.output
            assert not (tmp_path / "made").exists()
    done = CliRunner().invoke(compile_command, asked)
    assert done.exit_code == 0, done.output
    assert (tmp_path / "made" / "mixed.py").exists()


def equal_by_z3(lifecycle: Lifecycle, name: str, text: str, mutant: str) -> bool:
    """Whether z3 proves that the function of that name does the same in both texts."""
    before, after = (_function(one, name) for one in (text, mutant))
    if before is None or after is None:
        return False
    machine = next(
        one for one in lifecycle.machines if name.removeprefix("_").startswith(f"{one.name}_")
    )
    bools = {one.name for one in machine.variables if one.type == BOOL} | {
        field.name for event in machine.events for field in event.fields if field.type == BOOL
    }
    solver = z3.Solver()
    first, second = _Run(bools).run(before), _Run(bools).run(after)
    if set(first) != set(second):
        return False
    solver.add(z3.Or(*[first[key] != second[key] for key in first]))
    return bool(solver.check() == z3.unsat)


def _function(text: str, name: str) -> ast.FunctionDef | None:
    found = [one for one in ast.parse(text).body if getattr(one, "name", "") == name]
    return found[0] if found and isinstance(found[0], ast.FunctionDef) else None


class _Run:
    """What a function gives, as terms: an own reading of Python, with enums as numbers."""

    def __init__(self, bools: set[str]) -> None:
        self.bools = bools
        self.names: dict[str, Any] = {}

    def run(self, function: ast.FunctionDef) -> dict[str, Any]:
        return self.block(function.body)

    def block(self, body: list[ast.stmt]) -> dict[str, Any]:
        line, *rest = body
        match line:
            case ast.Expr():
                return self.block(rest)
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                self.names[name] = self.term(value)
                return self.block(rest)
            case ast.If(test=test, body=inner):
                condition = self.term(test)
                yes, no = self.block(inner), self.block(rest)
                return {key: z3.If(condition, yes[key], no[key]) for key in yes}
            case ast.Return(value=ast.Dict(keys=keys, values=values)):
                return {
                    key.value: self.term(value)
                    for key, value in zip(keys, values, strict=True)
                    if isinstance(key, ast.Constant)
                }
            case ast.Return(value=ast.Name(id=name)) if name.isupper():
                return {"picks": _number(name)}
            case ast.Return(value=ast.Constant(value=None)):
                return {"picks": _number("")}
            case ast.Return(value=ast.expr() as value):
                return {"gives": self.term(value)}
        raise AssertionError(ast.unparse(line))

    def term(self, node: ast.expr) -> Any:
        match node:
            case ast.Constant(value=bool(value)):
                return z3.BoolVal(value)
            case ast.Constant(value=int(value)):
                return z3.IntVal(value)
            case ast.Constant(value=str(value)):
                return _number(value)
            case ast.Name(id="state"):
                return z3.Int("state")
            case ast.Name(id=name):
                return self.names[name]
            case ast.Subscript(value=ast.Name(id=of), slice=ast.Constant(value=str(name))):
                return (z3.Bool if name in self.bools else z3.Int)(f"{of}.{name}")
            case ast.Call(args=[inner]):
                return self.term(inner)
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                return z3.Not(self.term(operand))
            case ast.UnaryOp(operand=operand):
                return -self.term(operand)
            case ast.BoolOp(op=operator, values=values):
                join = z3.And if isinstance(operator, ast.And) else z3.Or
                return join(*[self.term(value) for value in values])
            case ast.IfExp(test=test, body=body, orelse=orelse):
                return z3.If(self.term(test), self.term(body), self.term(orelse))
            case ast.BinOp(left=left, op=operator, right=right):
                one, other = self.term(left), self.term(right)
                if isinstance(operator, ast.Mult):
                    return one * other
                return one + other if isinstance(operator, ast.Add) else one - other
            case ast.Compare(left=left, ops=ops, comparators=comparators):
                values = [self.term(one) for one in (left, *comparators)]
                pairs = zip(values, ops, values[1:], strict=False)
                return z3.And(*[_compared(a, sign, b) for a, sign, b in pairs])
        raise AssertionError(ast.unparse(node))


def _number(name: str) -> Any:
    return z3.IntVal(int.from_bytes(name.encode(), "big"))


def _compared(one: Any, sign: ast.cmpop, other: Any) -> Any:
    match sign:
        case ast.Eq() | ast.Is():
            return one == other
        case ast.NotEq() | ast.IsNot():
            return one != other
        case ast.Lt():
            return one < other
        case ast.LtE():
            return one <= other
        case ast.Gt():
            return one > other
        case ast.GtE():
            return one >= other
    raise AssertionError(ast.dump(sign))
