"""Guards compared by structure: what is shown is so, and what cannot be shown is left open."""

import os

import pytest
from hypothesis import given, settings

from milepost_codegen.diff.implication import direction, implies, normal
from milepost_codegen.expressions import BOOL, evaluate, read_expression
from milepost_codegen.expressions.tree import Logic
from tests.unit.compiler.trees import PAYLOADS, SCOPE, VALUES, bools

SOAK = int(os.environ.get("MILEPOST_SOAK", "1"))


def compared(old: str, new: str) -> str:
    trees = [read_expression(text, BOOL, SCOPE) for text in (old, new)]
    return direction(normal(trees[0]), normal(trees[1]))


@pytest.mark.parametrize(
    ("old", "new", "wanted"),
    [
        ("ready", "ready and urgent", "narrowed"),
        ("ready and urgent", "urgent", "widened"),
        ("ready", "ready or urgent", "widened"),
        ("ready or urgent", "urgent", "narrowed"),
        ("count < 3", "count < 5", "widened"),
        ("count < 5", "count <= 2", "narrowed"),
        ("count < 3", "count <= 2", "same"),
        ("count < 3", "3 > count", "same"),
        ("count - limit < 0", "count < limit", "same"),
        ("few", "count < limit", "same"),
        ("few", "count + 1 < limit", "narrowed"),
        ("not (count < 3)", "not (count < 5)", "narrowed"),
        ("not (ready and urgent)", "not ready or not urgent", "same"),
        ("ready implies urgent", "urgent", "narrowed"),
        ("count == 3", "count <= 3", "widened"),
        ("count == 3", "count != 4", "widened"),
        ("count <= 3", "count != 4", "widened"),
        ("0 <= count < 3", "0 <= count < 9", "widened"),
        ("cause == error", "cause != timeout", "widened"),
        ("2 * count <= 5", "count <= 2", "same"),
        ("ready", "true", "widened"),
        ("ready", "urgent", "changed"),
        ("count < 3", "limit < 3", "changed"),
        ("count < 3", "count > 3", "changed"),
        ("count == 3", "count == 4", "changed"),
        ("ready", "urgent and (not urgent or ready)", "changed"),  # narrower, but by cases
    ],
)
def test_directions(old: str, new: str, wanted: str) -> None:
    """What structure tells, both ways round, and what it leaves open."""
    opposite = {"narrowed": "widened", "widened": "narrowed"}
    assert compared(old, new) == wanted
    assert compared(new, old) == opposite.get(wanted, wanted)


@given(bools(), bools(), VALUES, PAYLOADS)
@settings(max_examples=250 * SOAK, deadline=None)
def test_what_is_shown_is_so(old, new, values, payload) -> None:
    """No values refute an implication that was shown, nor a normal form its tree."""
    narrower = normal(old)
    assert implies(narrower, narrower)
    assert implies(normal(Logic(operator="and", operands=(old, new))), narrower)
    assert implies(narrower, normal(Logic(operator="or", operands=(old, new))))
    if implies(narrower, normal(new)):
        assert not evaluate(old, values, payload) or evaluate(new, values, payload)
    if implies(normal(old, holds=False), normal(new)):
        assert evaluate(old, values, payload) or evaluate(new, values, payload)
