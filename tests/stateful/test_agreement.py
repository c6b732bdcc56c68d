"""The generated tables against a transitions.Machine built from the same file, pair by pair."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any

import pytest
import transitions

from milepost import TransitionRefused
from milepost.definition import Machine, Row, definition_of, read_definition
from milepost.lifecycles import mapreduce

PATH = Path(__file__).parents[2] / "statemachine.yaml"
DEFINED = read_definition(PATH)
JOB, ITEM = DEFINED.machines["job"], DEFINED.machines["item"]


def machine_of(plain: Machine) -> tuple[transitions.Machine, Any]:
    """A transitions.Machine with one transition per row, guards as conditions."""

    class Model:
        names: dict[str, Any]

    model = Model()

    def condition(row: Row) -> Any:
        pair = plain.of_pair(row.source, row.event)
        others = [one.guard for one in pair if one.guard is not None]

        def holds() -> bool:
            if row.otherwise:
                return not any(guard.value(model.names) for guard in others)
            return row.guard is None or bool(row.guard.value(model.names))

        return holds

    def remembered(row: Row) -> Any:
        return lambda: not row.history or model.names[f"history.{row.history}"] == row.target

    machine = transitions.Machine(
        model=model,
        states=list(plain.states),
        initial=plain.initial,
        transitions=[
            {
                "trigger": f"on_{row.event}",
                "source": row.source,
                "dest": row.target,
                "conditions": [condition(row), remembered(row)],
            }
            for row in plain.every_row()
        ],
        auto_transitions=False,
        send_event=False,
    )
    return machine, model


def contexts(plain: Machine) -> Iterator[dict[str, Any]]:
    """Every context over small values of all that guards read."""
    if plain.name == ITEM.name:
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


@pytest.mark.parametrize("plain", [JOB, ITEM], ids=lambda plain: plain.name)
def test_generated_tables_agree_with_transitions(plain: Machine) -> None:
    """For every state, event and context both move to the same state, or both refuse."""
    generated = mapreduce.LIFECYCLE.machines[plain.name]
    other, model = machine_of(plain)
    moved = refused = 0
    for context in contexts(plain):
        for told, state, event in product((False, True), plain.states, plain.events):
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


def test_the_comparison_sees_a_wrong_guard() -> None:
    """Negative control: with another guard in the file's reading the two differ."""
    text = PATH.read_text(encoding="utf-8")
    wrong = text.replace("attempts_left: attempts <", "attempts_left: attempts <=")
    assert wrong != text
    with pytest.raises(AssertionError):
        test_generated_tables_agree_with_transitions(
            definition_of(wrong, "wrong.yaml").machines["item"]
        )
