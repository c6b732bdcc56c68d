"""Expressions: text to tree and back, types, and the same value in Python as in the tree."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from milepost_codegen.expressions import (
    BOOL,
    INT,
    ExpressionProblem,
    evaluate,
    read_expression,
    to_text,
)
from milepost_codegen.expressions.tree import Expression, Number

from .lifecycles import ROOT, load
from .trees import PAYLOADS, SCOPE, VALUES, bools, ints

QUIET = settings(
    deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)

FIELDS = "{steps: {type: int}, sure: {type: bool}, why: {type: Cause}}"


def read(text: str) -> Expression:
    return read_expression(text, BOOL, SCOPE)


@given(bools())
@settings(QUIET, max_examples=150)
def test_a_tree_written_out_parses_to_itself(tree: Expression) -> None:
    """Rendering loses nothing, and puts parentheses wherever they are needed."""
    assert read_expression(to_text(tree), BOOL, SCOPE) == tree


@given(ints())
@settings(QUIET, max_examples=80)
def test_an_integer_tree_written_out_parses_to_itself(tree: Expression) -> None:
    """The same for integers."""
    assert read_expression(to_text(tree), INT, SCOPE) == tree


def definition(trees: list[Expression]) -> str:
    """A lifecycle with an event for each tree, which assigns the tree's value."""
    events = ", ".join(f"e{index}: {{payload: {FIELDS}}}" for index in range(len(trees)))
    rows = "".join(
        f"      - {{from: open, on: e{index}, to: open, set: {{out: {quoted}}}}}\n"
        for index, quoted in enumerate(json.dumps(to_text(tree)) for tree in trees)
    )
    return f"""\
lifecycle: trees
version: 1
enums: {{Cause: [error, timeout, lambda], Level: [error, info]}}
machines:
  task:
    initial: open
    states: {{open: {{perpetual: true}}}}
    context:
      count: {{type: int, param: true}}
      limit: {{type: int, param: true}}
      ready: {{type: bool, param: true}}
      urgent: {{type: bool, param: true}}
      cause: {{type: Cause, param: true}}
      level: {{type: Level, param: true}}
      out: {{type: bool, initial: false}}
    guards: {{few: count < limit}}
    events: {{{events}}}
    transitions:
{rows}\
    invariants:
      uses_all: {{holds: few and ready and urgent and cause == timeout and level == info or out}}
"""


@given(
    st.lists(bools(), min_size=20, max_size=30),
    st.lists(st.tuples(VALUES, PAYLOADS), min_size=5, max_size=5),
)
@settings(QUIET, max_examples=5)
def test_generated_python_has_the_value_of_the_tree(
    tmp_path_factory: pytest.TempPathFactory,
    trees: list[Expression],
    cases: list[tuple[dict[str, int | bool | str], dict[str, int | bool | str]]],
) -> None:
    """Every compiled expression agrees with the interpreter of trees, whatever invariants say."""
    machine = load(definition(trees), tmp_path_factory.mktemp("module")).TASK
    for index, tree in enumerate(trees):
        for values, payload in cases:
            step = machine.follow("open", f"e{index}", machine.fresh(**values), payload)
            out = step.context["out"]
            assert bool(out) is evaluate(tree, values, payload), to_text(tree)


@given(st.lists(bools(), min_size=10, max_size=20))
@settings(QUIET, max_examples=5)
def test_generated_python_is_formatted(
    tmp_path_factory: pytest.TempPathFactory, trees: list[Expression]
) -> None:
    """`ruff format` has nothing to change, whatever the expressions."""
    folder = tmp_path_factory.mktemp("module")
    load(definition(trees), folder)
    ruff = Path(sys.executable).parent / "ruff"
    command = [ruff, "format", "--config", ROOT / "pyproject.toml", "--diff", "--no-cache", folder]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(
    ("text", "code", "column"),
    [
        ("count", "E303", 0),
        ("count < ready", "E303", 8),
        ("ready and count", "E303", 10),
        ("cause < timeout", "E303", 8),
        ("cause == info", "E303", 9),
        ("cause == tmeout", "E205", 9),
        ("event.nothing == 1", "E208", 6),
        ("count / 2 == 1", "E302", 6),
        ("count * limit == 1", "E302", 8),
        ("count.real == 1", "E302", 5),
        ("few(count)", "E302", 3),
        ("count == 9223372036854775808", "E302", 9),
        ("count == 0x10", "E301", 9),
        ("count == 1.0", "E302", 9),
        ("ready and", "E301", 9),
        ("ready if urgent", "E301", 15),
        ("(ready", "E301", 6),
        ("ready)", "E301", 5),
        ("", "E301", 0),
        ("ready = true", "E302", 6),
        ("True", "E205", 0),
        ("__import__", "E205", 0),
        ("not " * 40 + "ready", "E304", 128),
        ("(" * 40 + "ready" + ")" * 40, "E304", 32),
        (" and ".join(["ready"] * 300), "E304", 2560),
    ],
)
def test_what_is_no_expression_is_refused_at_its_place(text: str, code: str, column: int) -> None:
    """Each refusal has its code and points at the character."""
    with pytest.raises(ExpressionProblem) as caught:
        read(text)
    assert (caught.value.code, caught.value.column) == (code, column)


def test_precedence() -> None:
    """`implies` binds less than `or`, a choice less than `implies`, and both to the right."""
    assert read("ready or few implies urgent implies few") == read(
        "(ready or few) implies (urgent implies few)"
    )
    assert read("ready implies few if urgent else few if ready else urgent") == read(
        "(ready implies few) if urgent else (few if ready else urgent)"
    )
    assert read("not ready == urgent") == read("not (ready == urgent)")
    assert read("-count * 2 + 1 < limit") == read("((-count) * 2) + 1 < limit")


def test_a_literal_takes_its_sign() -> None:
    """`-5` is a number, not an operation."""
    assert read_expression("--5", INT, SCOPE) == Number(value=5)


def test_members_take_their_type_from_what_stands_beside() -> None:
    """A name of two enums is read as the one that is meant, on either side."""
    assert read("cause == error and error == level") != read("cause == error and error == cause")


@given(st.text(max_size=60))
@settings(QUIET, max_examples=150)
def test_any_text_is_read_or_refused(text: str) -> None:
    """No text makes the parser fail in another way, and columns lie within the text."""
    column = 0
    try:
        read(text)
    except ExpressionProblem as problem:
        column = problem.column
    assert 0 <= column <= len(text)
