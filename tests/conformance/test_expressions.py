"""Expressions as the plain reader reads them against the compiler's: one value, one verdict."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any, Final

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from milepost.definition import NotUnderstood
from milepost.definition.formulas import Formula, Scope
from milepost.definition.parsing import formula, guards_of
from milepost_codegen.expressions import (
    BOOL,
    INT,
    ExpressionProblem,
    Type,
    evaluate,
    read_expression,
    to_text,
)
from milepost_codegen.expressions import Scope as Compiled
from milepost_codegen.expressions.tree import Expression
from milepost_codegen.prove.traces.conditions import atoms, spelled_out
from tests.unit.compiler.trees import (
    CAUSE,
    ENTRIES,
    FIELDS,
    LEVEL,
    PAYLOADS,
    SCOPE,
    VALUES,
    bools,
    ints,
)

TRIES: Final = 400
QUIET: Final = settings(
    deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)
SHADE: Final = Type(name="Shade", members=("info", "lambda", "error"))
"""Shares members with both other enums, so that many stand in two or three."""


def plain_scope(scope: Compiled) -> Scope:
    """The same names for the plain reader."""
    fields = {f"event.{name}": kind.name for name, kind in (scope.fields or {}).items()}
    types = {name: kind.name for name, kind in scope.entries.items()}
    members = {kind.name: kind.members for kind in scope.enums}
    bare = Scope(types=types, members=members)
    guards = guards_of({name: to_text(use.body) for name, use in scope.guards.items()}, bare)
    return Scope(types={**types, **fields}, members=members, guards=guards)


PLAIN: Final = plain_scope(SCOPE)


def names_of(values: dict[str, Any], payload: dict[str, Any]) -> dict[str, Any]:
    return {**values, **{f"event.{name}": value for name, value in payload.items()}}


@given(bools(), st.lists(st.tuples(VALUES, PAYLOADS), min_size=4, max_size=4))
@settings(QUIET, max_examples=150)
def test_a_condition_has_one_value(
    tree: Expression, cases: list[tuple[dict[str, Any], dict[str, Any]]]
) -> None:
    """And is put together of as many others, which the traces of a definition count."""
    read = formula(to_text(tree), PLAIN, "bool")
    for values, payload in cases:
        due = bool(evaluate(tree, values, payload))
        assert bool(read.value(names_of(values, payload))) is due, to_text(tree)
    assert len(read.conditions) == len(atoms(spelled_out(tree))), to_text(tree)


@given(ints(), VALUES, PAYLOADS)
@settings(QUIET, max_examples=100)
def test_a_number_has_one_value(
    tree: Expression, values: dict[str, Any], payload: dict[str, Any]
) -> None:
    read = formula(to_text(tree), PLAIN, "int")
    assert read.value(names_of(values, payload)) == evaluate(tree, values, payload), to_text(tree)


WORDS: Final = {
    "bool": ("ready", "event.sure", "few", "true", "nothing", "count < 3"),
    "int": ("count", "limit", "event.steps", "0", "1", "7", "event.no", "007"),
    "member": ("error", "timeout", "info", "lambda", "cause", "level", "shade", "event.why"),
}
"""Words of each kind, some of which there are not; members are of one enum, of two, or of three."""
SCOPE_OF_TEXTS: Final = Compiled(
    entries={**ENTRIES, "shade": SHADE},
    guards=SCOPE.guards,
    enums=(CAUSE, LEVEL, SHADE),
    fields=FIELDS,
)


def text(chance: random.Random, kind: str, depth: int = 3) -> str:
    """Some text in the form of an expression, mostly of one kind, and here and there of another."""
    if chance.random() < 0.04:
        kind = chance.choice(list(WORDS))
    if depth == 0 or chance.random() < 0.2:
        return chance.choice(WORDS[kind])

    def part(kind: str) -> str:
        inner = text(chance, kind, depth - 1)
        return f"({inner})" if chance.random() < 0.7 else inner

    if chance.random() < 0.25 or kind == "member":
        return f"{part(kind)} if {part('bool')} else {part(kind)}"
    if kind == "int":
        sign = chance.choice("+-*")
        return f"{part(kind)} {sign} {part(kind)}" if chance.random() < 0.8 else f"-{part(kind)}"
    match chance.randrange(6):
        case 0:
            return f"{part(kind)} {chance.choice(['and', 'or', 'implies'])} {part(kind)}"
        case 1:
            return f"not {part(kind)}"
        case 2:
            signs = [chance.choice(["<", "<=", "==", "!=", ">", ">="]) for _ in range(2)]
            return f"{part('int')} {signs[0]} {part('int')} {signs[1]} {part('int')}"
        case _:
            both = chance.choice(["member", "member", "member", "int", "bool"])
            return f"{part(both)} {chance.choice(['==', '!='])} {part(both)}"


def by_compiler(said: str, wanted: Type) -> Expression | None:
    """The tree of a text, None where it is refused."""
    try:
        return read_expression(said, wanted, SCOPE_OF_TEXTS)
    except ExpressionProblem:
        return None


def by_text(said: str, wanted: Type, scope: Scope) -> Formula | None:
    """What the plain reader makes of it, None where it is refused."""
    try:
        return formula(said, scope, wanted.name)
    except NotUnderstood:
        return None


def disagreement(scope: Scope, wanted: Type, seed: int, tries: int = TRIES) -> tuple[str, int, int]:
    """The first text on which the two part, if any; and how many both read, and both refuse."""
    chance = random.Random(f"{wanted.name}.{seed}")  # noqa: S311 no secret
    read = refused = 0
    for _ in range(tries):
        said = text(chance, "member" if wanted.members else wanted.name)
        tree, found = by_compiler(said, wanted), by_text(said, wanted, scope)
        if (tree is None) != (found is None):
            return said, read, refused
        if tree is None or found is None:
            refused += 1
            continue
        read += 1
        for _ in range(3):
            values = {name: any_of(kind, chance) for name, kind in SCOPE_OF_TEXTS.entries.items()}
            payload = {name: any_of(kind, chance) for name, kind in FIELDS.items()}
            due = evaluate(tree, values, payload)
            value = found.value(names_of(values, payload))
            if value != due or (wanted == BOOL and bool(value) is not bool(due)):
                return said, read, refused
    return "", read, refused


def any_of(kind: Type, chance: random.Random) -> Any:
    if kind.members:
        return chance.choice(kind.members)
    return chance.random() < 0.5 if kind == BOOL else chance.randint(-3, 3)


@pytest.mark.parametrize("wanted", [BOOL, INT, CAUSE, SHADE], ids=lambda kind: kind.name)
def test_texts_are_read_or_refused_alike(
    wanted: Type, record_property: Callable[[str, object], None]
) -> None:
    """Of whatever types, with members that stand in several enums; what is read has one value."""
    parted, read, refused = disagreement(plain_scope(SCOPE_OF_TEXTS), wanted, 1, 10 * TRIES)
    assert not parted
    assert read > TRIES
    assert refused > TRIES
    record_property(
        "counted", ("plain expressions beside the compiler", {"read": read, "refused": refused})
    )


@pytest.mark.control("plain expressions beside the compiler")
def test_another_guard_is_noticed() -> None:
    """Control: a guard that says something else is told apart by its values."""
    guards = guards_of({"few": "count <= limit"}, Scope(types=PLAIN.types, members={}))
    scope = plain_scope(SCOPE_OF_TEXTS)
    wrong = Scope(types=scope.types, members=scope.members, guards=guards)
    assert disagreement(wrong, BOOL, 2, 10 * TRIES)[0]


@pytest.mark.control("plain expressions beside the compiler")
def test_an_enum_that_is_forgotten_is_noticed() -> None:
    """Control: members that are of one enum more are told apart by what is refused."""
    scope = plain_scope(SCOPE_OF_TEXTS)
    fewer = {name: members for name, members in scope.members.items() if name != "Shade"}
    wrong = Scope(types=scope.types, members=fewer, guards=scope.guards)
    assert disagreement(wrong, BOOL, 3, 10 * TRIES)[0]
