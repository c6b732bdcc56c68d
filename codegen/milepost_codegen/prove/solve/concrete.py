"""A run with values: the first ones with which given moves reach a goal."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from milepost_codegen.expressions.tree import reads
from milepost_codegen.prove.solve.ask import Solver
from milepost_codegen.prove.solve.goals import at_mode, start_view
from milepost_codegen.prove.solve.offers import Offers
from milepost_codegen.prove.solve.terms import Encoder
from milepost_codegen.prove.system import Configuration, Run, RunStep, after, enabled

if TYPE_CHECKING:
    from milepost_codegen.expressions import Expression, Type
    from milepost_codegen.prove.solve.goals import Goal
    from milepost_codegen.prove.solve.terms import Term
    from milepost_codegen.prove.system import Move, System, Value, Values

__all__ = ["Found", "with_values"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A run that reaches its goal, and the payload that the goal's condition speaks of there."""

    run: Run
    payload: Values


def with_values(system: System, goal: Goal, path: tuple[Move, ...], effort: int) -> Found:
    """The run of these moves with the first values: its steps are written into each other."""
    encoder = Encoder()
    solver = Solver(encoder, effort=effort)
    view = start_view(system, encoder)
    wanted: dict[str, tuple[Type, Term]] = {
        entry.name: (entry.type, view.entry(entry.name, entry.type))
        for entry in system.entries
        if entry.initial is None
    }
    solver.add(view.term(system.start))
    before = view
    for number, move in enumerate(path):
        solver.add(view.term(system.facts))
        solver.add(*(view.term(one) for one in system.invariants.get(move.source, {}).values()))
        solver.add(view.term(move.guard))
        for name, field in view.fields(move.inputs).items():
            wanted[f"{number} {name}"] = field
        before, view = view, view.after(move.sets, f"@{number + 1}")
        for entry in system.entries:
            view.entry(entry.name, entry.type)
    solver.add(view.term(system.facts))
    mode = path[-1].target if path else system.initial
    if goal.keep_last:
        solver.add(*(view.term(one) for one in system.invariants.get(mode, {}).values()))
    ends = []
    asked: dict[str, Type] = {}
    if mode in goal.modes or mode in goal.stuck:
        offers = {
            name: Offers(encoder, moves) for name, moves in goal.stuck.items() if name == mode
        }
        ends.append(encoder.all_of(at_mode(goal, mode, view, offers)))
        asked = _fields(goal.modes[mode]) if mode in goal.modes else {}
        for name, kind in asked.items():
            wanted[f"end {name}"] = (kind, view.field(name, kind))
    if path and path[-1].name in goal.moves:
        ends.append(before.term(goal.moves[path[-1].name]))
    solver.add(encoder.any_of(ends))
    values = solver.least(wanted)
    if values is None:
        raise AssertionError("a run that was found is none")
    return Found(
        run=_run(system, path, values),
        payload={name: values[f"end {name}"] for name in asked},
    )


def _fields(tree: Expression) -> dict[str, Type]:
    """The fields of the payload that `tree` reads."""
    return {one.name: one.type for one in reads(tree) if one.payload}


def _run(system: System, path: tuple[Move, ...], values: Values) -> Run:
    """The run, computed by what expressions mean and not by z3."""
    first: dict[str, Value] = {
        entry.name: values[entry.name] if entry.initial is None else entry.initial
        for entry in system.entries
    }
    at = start = Configuration(mode=system.initial, values=first)
    steps: list[RunStep] = []
    for number, move in enumerate(path):
        payload = {one.name: values[f"{number} {one.name}"] for one in move.inputs}
        if not enabled(move, at, payload):
            raise AssertionError(f"a run that was found cannot take {move.name}")
        at = after(move, at, payload)
        steps.append(RunStep(move=move, payload=payload, after=at))
    return Run(start=start, steps=tuple(steps))
