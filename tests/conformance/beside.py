"""A definition as text reads it beside its generated tables: every pair, of any context."""

from __future__ import annotations

import random
from typing import Any

from milepost.definition import Definition, Machine, Refused
from milepost.machine import Lifecycle, TransitionRefused
from milepost.machine import Machine as Compiled
from tests.contract.lifecycles.walks import payload_for

__all__ = ["compare", "entries", "taken"]


def compare(
    plain: Definition, lifecycle: Lifecycle, chance: random.Random, each: int, *, told: str = ""
) -> tuple[int, int]:
    """How many steps were compared, `each` times each pair, and how many of them were allowed.

    Raises AssertionError, with what is `told`, where the two part.
    """
    steps = allowed = 0
    assert (plain.name, plain.version, plain.root) == (
        lifecycle.name,
        lifecycle.version,
        lifecycle.root,
    )
    for name, table in lifecycle.machines.items():
        machine = plain.machines[name]
        assert (machine.initial, machine.states) == (table.initial, table.states), told
        assert (machine.final, machine.owned) == (table.final, table.owned), told
        assert tuple(machine.events) == table.events, told
        assert {row.id for row in machine.every_row()} == {row.id for row in table.transitions}
        begun = {f"history.{group}": first for group, first in machine.histories.items()}
        assert begun.items() <= table.entries.items(), told
        for collection, one in table.collections.items():
            assert machine.collections[collection].accepts == one.accepts, told
            assert machine.collections[collection].grows == one.grows, told
        for state in table.states:
            for event in table.events:
                for _ in range(each):
                    by_table, by_text = taken(machine, table, state, event, chance)
                    assert by_text == by_table, (name, state, event, told)
                    steps, allowed = steps + 1, allowed + (by_text[0] != "refused")
            for _ in range(each):
                names = entries(table, chance)
                by_text = {i.name: machine.holds(i, names) for i in machine.invariants_of(state)}
                declared = table.declared[state]
                assert by_text == {i.name: i.holds(state, names) for i in declared}, told
    return steps, allowed


def entries(table: Compiled, chance: random.Random) -> dict[str, Any]:
    """Any context, whether a run comes to it or not."""
    found: dict[str, Any] = {}
    for one in table.variables:
        if one.members:
            found[one.name] = chance.choice(one.members)
        elif one.type == "bool":
            found[one.name] = chance.random() < 0.5
        else:
            found[one.name] = chance.randint(-1, 4)
    for name, first in table.entries.items():
        if name.startswith("history."):
            targets = {r.target for r in table.transitions if r.history == name[8:]}
            found[name] = chance.choice(sorted(targets) or [first])
        else:
            found[name] = chance.choice((0, 0, 1, 3))
    return found


def taken(
    plain: Machine, table: Compiled, state: str, event: str, chance: random.Random
) -> tuple[Any, Any]:
    """What both say of one step: where it leads, what it sets, by which row, whom it sends."""
    names = entries(table, chance)
    payload = payload_for(table, event, chance)
    try:
        step = table.follow(state, event, names, table.payload(event, payload))
        by_table: Any = (step.state, dict(step.context), step.transition, step.members)
    except TransitionRefused as refusal:
        by_table = ("refused", refusal.allowed)
    try:
        found = plain.take(state, event, names, payload)
        by_text: Any = (found.target, {**names, **found.sets}, found.row, found.members)
    except Refused:
        there = tuple(event for event in plain.events if (state, event) in plain.rows)
        by_text = ("refused", there)
    return by_table, by_text
