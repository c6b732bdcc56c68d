"""Conditions are decided: as z3 decides them, with models that hold, and the same each time."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Mapping
from random import Random

import pytest

from milepost_codegen.expressions import BOOL, Expression, Scope, Type, evaluate, read_expression
from milepost_codegen.expressions.tree import Comparison, Logic, Member, Read
from milepost_codegen.logic import Undecided, Work, implies, satisfy

from .conditions import SCOPE, condition, read, system
from .z3_terms import satisfiable

Model = Mapping[str, int | bool | str]


def holds(tree: Expression, model: Model) -> bool:
    """What the reference meaning of expressions says of a model."""
    fields = [key for key in model if key.startswith("event.")]
    payload = {key.removeprefix("event."): model[key] for key in fields}
    return bool(evaluate(tree, model, payload))


@pytest.mark.parametrize(
    ("made", "count", "most_undecided"), [(condition, 1500, 3), (system, 1000, 3)]
)
def test_answers_are_those_of_z3(
    made: Callable[[Random], Expression], count: int, most_undecided: int
) -> None:
    """Thousands of random conditions; what is not decided within the bound is counted."""
    undecided = possible = 0
    for seed in range(count):
        tree = made(Random(seed))  # noqa: S311  # no secret
        try:
            model = satisfy(tree)
        except Undecided:
            undecided += 1
            continue
        assert (model is not None) == satisfiable(tree), seed
        if model is not None:
            possible += 1
            assert holds(tree, model), seed
    print(f"{made.__name__}: {count} decided but {undecided}; {possible} can hold")
    assert undecided <= most_undecided
    assert count // 10 < possible < count - count // 10


@pytest.mark.parametrize(
    ("text", "model"),
    [
        ("x > 3 and x < 5", {"x": 4}),
        ("2 * x == 3 * y and x > 0", {"x": 3, "y": 2}),
        ("p == q and q == r and (p or r)", {"p": True, "q": True, "r": True}),
        ("c != red and c != blue", {"c": "green"}),
        ("(c if p else d) == blue", {"c": "red", "p": False, "d": "blue"}),
        ("event.n > x > 2", {"event.n": 4, "x": 3}),
        ("x < 0 or p", {"x": -1, "p": False}),
        ("-9 * 9000000000000000000 > x", {"x": -81000000000000000001}),
        ("few and x != 0", {"x": 1}),
        ("(0 if p else x) > 7 implies q", {"p": False, "x": 0, "q": False}),
    ],
)
def test_models_are_small(text: str, model: Model) -> None:
    """A witness is read by people: nothing in it is larger than it has to be."""
    assert satisfy(read(text)) == model


@pytest.mark.parametrize(
    "text",
    [
        "x < 3 and x > 5",
        "2 * x == 7",
        "3 * x + 6 * y == 8 or 4 * z - 6 * w == 5",
        "x < y and y < z and z < x",
        "27 <= 11 * x + 13 * y <= 45 and -10 <= 7 * x - 9 * y <= 4",  # holds for fractions
        "c == d and d == event.c and c != event.c",
        "c != red and c != green and c != blue",
        "(x if p else y) > 3 and x <= 3 and y <= 3",
        "few and (x < 0 or x >= 3)",
        "p != q and q != r and p != r",
        "x == y and 2 * x - 2 * y > 0",
    ],
)
def test_what_never_holds(text: str) -> None:
    """Intervals, congruences, chains, and what holds for fractions only."""
    assert satisfy(read(text)) is None


def test_members_of_two_enums_stay_apart() -> None:
    """Enums with the same members are types of their own; a name read as two has one of both."""
    old, new = Type(name="Mode", members=("a", "b", "c")), Type(name="Mode", members=("c", "b"))
    as_old = Comparison(
        operands=(Read(name="mode", type=old), Member(type=old, name="c")), operators=("==",)
    )
    as_new = Comparison(
        operands=(Read(name="mode", type=new), Member(type=new, name="b")), operators=("==",)
    )
    assert satisfy(Logic(operator="and", operands=(as_old, as_new))) is None
    assert satisfy(Logic(operator="or", operands=(as_old, as_new))) == {"mode": "b"}
    with pytest.raises(ValueError, match="mode"):
        satisfy(Logic(operator="or", operands=(as_old, Read(name="mode", type=BOOL))))


@pytest.mark.parametrize(
    ("premise", "conclusion", "follows"),
    [
        ("x == 4", "x > 3", True),
        ("x > 3", "x == 4", False),
        ("x > 2 and y > 2", "x + y >= 6", True),
        ("x > 2 and y > 2", "x + y >= 7", False),
        ("2 * x == y and 3 * z == y", "y != 7", True),
        ("c == red", "c != blue", True),
        ("false", "p", True),
    ],
)
def test_implication(premise: str, conclusion: str, follows: bool) -> None:
    """One condition holds wherever another does, or not."""
    assert implies(read(premise), read(conclusion)) is follows


def pigeons(count: int) -> str:
    """`count` numbers that are all different, in a range that is one too small."""
    different = [f"n{i} != n{j}" for i in range(count) for j in range(i)]
    return " and ".join([*(f"0 <= n{i} < {count - 1}" for i in range(count)), *different])


def test_work_is_bounded() -> None:
    """A question that is too hard is not answered, and is not answered late."""
    scope = Scope(entries={f"n{i}": SCOPE.entries["x"] for i in range(12)})
    hard = read_expression(pigeons(12), BOOL, scope)
    work = Work(5_000)
    with pytest.raises(Undecided):
        satisfy(hard, work=work)
    assert 5_000 < work.spent < 10_000
    easy = read_expression(pigeons(3), BOOL, scope)
    assert satisfy(easy, work=5_000) is None


def test_answers_do_not_depend_on_the_order_of_hashes() -> None:
    """The same models and the same work in processes with other hashes of strings."""
    program = (
        "from random import Random\n"
        "from milepost_codegen.logic import Work, satisfy\n"
        "from tests.unit.compiler.conditions import condition\n"
        "for seed in range(120):\n"
        "    work = Work(200_000)\n"
        "    print(satisfy(condition(Random(seed)), work=work), work.spent)\n"
    )
    answers = {
        subprocess.run(
            [sys.executable, "-c", program],
            env={"PYTHONHASHSEED": seed},
            capture_output=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(answers) == 1
