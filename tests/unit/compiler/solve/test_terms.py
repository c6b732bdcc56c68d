"""Expressions mean the same to the solver as to everybody, and its models are the first ones."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings

from milepost_codegen.expressions import Scope, Type, evaluate, read_expression
from milepost_codegen.expressions.tree import BOOL, INT
from milepost_codegen.prove.solve.ask import Solver, Undecided, available, find
from milepost_codegen.prove.solve.terms import Encoder
from tests.unit.compiler.trees import ENTRIES, FIELDS, PAYLOADS, VALUES, bools

if TYPE_CHECKING:
    from milepost_codegen.expressions import Expression
    from milepost_codegen.prove.solve.terms import Term
    from milepost_codegen.prove.system import Value, Values

SIZE = Type(name="Size", members=("small", "middle", "large"))
SCOPE = Scope(entries={"x": INT, "y": INT, "on": BOOL, "size": SIZE}, enums=(SIZE,))


def first(text: str) -> Values | None:
    """The values that the solver finds for a condition over x, y, on and size."""
    encoder = Encoder()
    view = encoder.view()
    wanted = {name: (kind, view.entry(name, kind)) for name, kind in SCOPE.entries.items()}
    return find(encoder, wanted, view.term(read_expression(text, BOOL, SCOPE)))


@settings(max_examples=200, deadline=None)
@given(bools(), VALUES, PAYLOADS)
def test_a_term_has_the_value_of_its_tree(
    tree: Expression, values: dict[str, Value], payload: dict[str, Value]
) -> None:
    encoder = Encoder()
    view = encoder.view()
    entries = {name: (kind, view.entry(name, kind)) for name, kind in ENTRIES.items()}
    fields = {f"event.{name}": (kind, view.field(name, kind)) for name, kind in FIELDS.items()}
    given_values = {**values, **{f"event.{name}": value for name, value in payload.items()}}
    fixed: list[Term] = [
        term == encoder.literal(kind, given_values[name])
        for name, (kind, term) in {**entries, **fields}.items()
    ]
    found = find(encoder, entries, view.term(tree), *fixed)
    assert found == (values if evaluate(tree, values, payload) else None)
    other = find(encoder, {**entries, **fields}, view.term(tree))
    if other is None:
        assert not evaluate(tree, values, payload)
        return
    seen = {name.removeprefix("event."): value for name, value in other.items()}
    assert evaluate(tree, other, seen)


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("true", (0, 0, False, "small")),
        ("x > 5 and y < x - 20", (6, -15, False, "small")),
        ("x > 1000000 or (x < -700 and x + y == 3)", (-701, 704, False, "small")),
        ("(x == 7 or x == -7) and size != small", (7, 0, False, "middle")),
        ("x == -7 and (on or size == large)", (-7, 0, False, "large")),
        ("x == 9000000000000000000 * 30 and on", (27 * 10**19, 0, True, "small")),
        ("2 * x - 2 * y == 1", None),
    ],
)
def test_a_model_is_the_first_one(text: str, values: tuple[Value, ...] | None) -> None:
    """The int nearest to 0, the positive one of two, false, the first member; x before the rest."""
    assert first(text) == (values and dict(zip(SCOPE.entries, values, strict=True)))


def test_the_first_model_is_the_first_of_all_small_ones() -> None:
    """Against enumeration, where small values are enough."""
    texts = ("x + y > 3 and x < y", "x - 2 * y == 3 or on and x > 5", "(on or x > 2) and x != y")
    order = sorted(range(-9, 10), key=lambda value: (abs(value), -value))
    for text in texts:
        tree = read_expression(text, BOOL, SCOPE)
        cases = itertools.product(order, order, (False, True), SIZE.members)
        named = (dict(zip(SCOPE.entries, case, strict=True)) for case in cases)
        assert first(text) == next(case for case in named if evaluate(tree, case, {}))


def test_too_much_work_is_undecided() -> None:
    """And not a guess; the same question with more effort is answered."""
    encoder = Encoder()
    view = encoder.view()
    terms = [view.entry(f"n{index}", INT) for index in range(12)]
    weighed = sum(term * (3 + 2 * index) for index, term in enumerate(terms))
    narrow = Solver(encoder, effort=300)
    for solver in (narrow, Solver(encoder)):
        solver.add(*(term >= 0 for term in terms), *(term <= 9 for term in terms))
        solver.add(weighed == 487)
    with pytest.raises(Undecided):
        narrow.holds()
    assert Solver(encoder).holds()


def test_what_is_asked_in_a_scope_is_forgotten() -> None:
    """An enum's constant that was made in it keeps to its members behind it."""
    encoder = Encoder()
    view = encoder.view()
    solver = Solver(encoder)
    with solver.scope():
        solver.add(view.entry("size", SIZE) == 1)
        assert solver.holds()
        assert not solver.holds(view.entry("size", SIZE) == 2)
    assert solver.holds(view.entry("size", SIZE) == 2)
    assert not solver.holds(view.entry("size", SIZE) == 3)


def test_the_solver_says_what_it_is() -> None:
    assert available().startswith("z3 ")
