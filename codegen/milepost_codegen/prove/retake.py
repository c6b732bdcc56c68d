"""What a certificate says as text, made into runs and conditions again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from milepost_codegen.expressions import (
    BOOL,
    INT,
    BrokenName,
    ExpressionProblem,
    Scope,
    read_expression,
)
from milepost_codegen.expressions.tree import GuardUse
from milepost_codegen.prove.build import own_entries
from milepost_codegen.prove.system import Configuration, Run, RunStep, after, enabled

if TYPE_CHECKING:
    from collections.abc import Mapping

    from milepost_codegen.expressions import Expression, Type
    from milepost_codegen.model import Lifecycle, Machine
    from milepost_codegen.prove.system import System, Value

__all__ = ["Unreadable", "condition_of", "run_of"]


class Unreadable(Exception):
    """Why a part of a certificate means nothing for this definition."""


def condition_of(lifecycle: Lifecycle, machine: Machine, text: str) -> Expression:
    """The condition that `text` is, on the context of `machine`. Raises Unreadable."""
    entries = {one.name: one.type for one in own_entries(machine)}
    entries |= {entry: INT for one in machine.collections for entry in one.entries}
    remembered = [kind for name, kind in entries.items() if name.startswith("history.")]
    scope = Scope(
        entries=entries,
        guards={one.name: GuardUse(name=one.name, body=one.body) for one in machine.guards},
        enums=(*(one.type for one in lifecycle.enums), *remembered),
    )
    try:
        return read_expression(text, BOOL, scope)
    except (ExpressionProblem, BrokenName) as problem:
        raise Unreadable(f"'{text}' is no condition on {machine.name}: {problem}") from problem


def run_of(system: System, document: object) -> Run:
    """The run of `system` that a certificate tells, each move of which is enabled.

    Raises Unreadable.
    """
    try:
        return _run(system, document)  # type: ignore[arg-type]
    except (AttributeError, KeyError, StopIteration, TypeError, ValueError) as problem:
        raise Unreadable(f"it is no run of {system.name}: {problem!r}") from problem


def _run(system: System, document: Mapping[str, Any]) -> Run:  # Any: JSON
    given = document["start"]
    values = {one.name: _typed(one.type, given[one.name]) for one in system.entries}
    at = start = Configuration(mode=system.initial, values=values)
    moves = {one.name: one for one in system.moves}
    steps: list[RunStep] = []
    for told in document["steps"]:
        move = moves[told["move"]]
        payload = {one.name: _typed(one.type, told["payload"][one.name]) for one in move.inputs}
        if not enabled(move, at, payload):
            raise Unreadable(f"{move.name} cannot be taken in {at.mode}")
        at = after(move, at, payload)
        steps.append(RunStep(move=move, payload=payload, after=at))
    return Run(start=start, steps=tuple(steps))


def _typed(kind: Type, value: object) -> Value:
    """A value of that type. Raises ValueError if it is none."""
    wanted: type = bool if kind == BOOL else int if kind == INT else str
    if type(value) is not wanted or (kind.members and value not in kind.members):
        raise ValueError(f"{value!r} is no {kind.name}")
    assert isinstance(value, bool | int | str)
    return value
