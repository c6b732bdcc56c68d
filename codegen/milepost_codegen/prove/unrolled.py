"""The shortest run into a danger of an obligation, or to its goal, asked of the solver."""

from __future__ import annotations

from typing import TYPE_CHECKING

from milepost_codegen.expressions.substitute import TRUE, either, opposite
from milepost_codegen.prove.closures import function
from milepost_codegen.prove.decider import Undecided
from milepost_codegen.prove.judge import Found
from milepost_codegen.prove.obligations import Danger
from milepost_codegen.prove.solve import ask
from milepost_codegen.prove.solve.unroll import shortest

if TYPE_CHECKING:
    from milepost_codegen.expressions import Expression
    from milepost_codegen.prove.obligations import Task
    from milepost_codegen.prove.system import Move, System

__all__ = ["unrolled"]


def unrolled(system: System, task: Task, at_most: int) -> Found | None:
    """The shortest run into a danger of a task, or to its goal; None if there is none so short.

    Raises Undecided.
    """
    invariant = task.obligation.kind == "invariant"
    there = (*task.dangers, *task.goals)
    modes: dict[str, list[Expression]] = {}
    moves: dict[str, Expression] = {}
    stuck: dict[str, tuple[Move, ...]] = {}
    for one in there:
        if one.move is not None and invariant:
            moves[one.move.name] = one.when
        else:  # a goal's move can be taken where its guard holds, and is no step
            modes.setdefault(one.mode, []).append(one.when)
            if one.stuck:
                stuck[one.mode] = one.stuck
    if invariant:
        holds = system.invariants[system.initial].get(task.obligation.subject, TRUE)
        modes.setdefault(system.initial, []).append(opposite(holds))
    try:
        found = shortest(
            system,
            {mode: either(trees) for mode, trees in modes.items()},
            bad_moves=moves,
            stuck=stuck,
            at_most=at_most,
            keep_last=not invariant,
        )
    except ask.Undecided as error:
        raise Undecided(str(error)) from error
    if found is None:
        return None
    if invariant and found.run.steps:
        last = found.run.steps[-1]
        return Found(
            run=found.run,
            danger=Danger(mode=last.after.mode, when=TRUE, move=last.move),
            payload=last.payload,
        )
    end = found.run.end
    danger = next(
        (
            one
            for one in there
            if one.mode == end.mode and one.move is None
            if function(one.when)(end.values, found.payload)
        ),
        Danger(mode=end.mode, when=TRUE),
    )
    return Found(run=found.run, danger=danger, payload=found.payload)
