"""The generated tables against a transitions.Machine built from the same file, pair by pair."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import Any

import pytest
import transitions

from milepost import TransitionRefused
from milepost.lifecycles import mapreduce

from .reference import ITEM, JOB, Table, evaluate


def machine_of(table: Table) -> tuple[transitions.Machine, Any]:
    """A transitions.Machine with one transition per row, guards as conditions."""

    class Model:
        names: dict[str, Any]

    model = Model()

    def condition(row: dict[str, Any], others: list[str]) -> Any:
        def holds() -> bool:
            values = [evaluate(t, model.names, table.guards, table.members) for t in others]
            if row.get("when") == "otherwise":
                return not any(values)
            text = row.get("when", "true")
            return bool(evaluate(text, model.names, table.guards, table.members))

        return holds

    def remembered(group: str, state: str) -> Any:
        return lambda: model.names[f"history.{group}"] == state

    rows: list[dict[str, Any]] = []
    for row in table.rows:
        pair = [r for r in table.rows if (r["from"], r["on"]) == (row["from"], row["on"])]
        others = [r["when"] for r in pair if "when" in r and r["when"] != "otherwise"]
        base = {
            "trigger": f"on_{row['on']}",
            "source": row["from"],
            "conditions": [condition(row, others)],
        }
        if isinstance(row["to"], dict):
            group = row["to"]["history"]
            for state in table.groups[group]:
                conditions = [*base["conditions"], remembered(group, state)]
                rows.append({**base, "dest": state, "conditions": conditions})
        else:
            rows.append({**base, "dest": row["to"]})
    machine = transitions.Machine(
        model=model,
        states=table.states,
        initial=table.initial,
        transitions=rows,
        auto_transitions=False,
        send_event=False,
    )
    return machine, model


def contexts(table: Table) -> Iterator[dict[str, Any]]:
    """Every context over small values of all that guards read."""
    if table is ITEM:
        for attempts, most, suspect, crashes, deaths, permanent in product(
            range(4), range(1, 4), (False, True), range(3), range(1, 3), (False, True)
        ):
            yield {
                "attempts": attempts,
                "max_attempts": most,
                "suspect": suspect,
                "crashes": crashes,
                "max_crashes": deaths,
                "permanent": permanent,
                "redone": 0,
            }
        return
    for pending, running, failed, dead, max_dead, more_dead in product(range(2), repeat=6):
        for reduce, failed_in, left in product(
            (False, True), ("setup", "map", "reduce"), ("setup", "map", "reduce")
        ):
            counts = {"pending": pending, "running": running, "failed": failed, "dead": dead}
            yield {
                **{f"items.{state}": counts.get(state, 0) for state in ITEM.states},
                "items.total": sum(counts.values()),
                "max_dead": max_dead,
                "more_dead": more_dead,
                "has_reduce": reduce,
                "failed_in": failed_in,
                "history.active": left,
            }


@pytest.mark.parametrize("table", [JOB, ITEM], ids=lambda table: table.name)
def test_generated_tables_agree_with_transitions(table: Table) -> None:
    """For every state, event and context both move to the same state, or both refuse."""
    generated = mapreduce.LIFECYCLE.machines[table.name]
    other, model = machine_of(table)
    moved = refused = 0
    for context in contexts(table):
        for told, state, event in product((False, True), table.states, table.events):
            if not told and event not in ("recover", "fail", "allow_dead"):
                continue  # nothing else reads it
            payload = {"lost": told, "permanent": told, "more": int(told)}
            model.names = {**context, **{f"event.{name}": one for name, one in payload.items()}}
            other.set_state(state, model)
            try:
                accepted = getattr(model, f"on_{event}")()
            except transitions.MachineError:
                accepted = False
            expected = model.state if accepted else None
            try:
                found = generated.follow(state, event, context, payload).state
            except TransitionRefused:
                found = None
            assert found == expected, (state, event, context)
            moved, refused = moved + bool(found), refused + (not found)
    assert moved > 50
    assert refused > 50


def test_the_comparison_sees_a_wrong_guard(monkeypatch: pytest.MonkeyPatch) -> None:
    """Negative control: with another guard in the file's reading the two differ."""
    monkeypatch.setitem(ITEM.guards, "attempts_left", "attempts <= max_attempts")
    with pytest.raises(AssertionError):
        test_generated_tables_agree_with_transitions(ITEM)
