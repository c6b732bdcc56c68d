"""Runs of counted members made real: by which members, by which rows, and with which payloads.

A run of an owner whose members are only counted says how many moved. The same steps are looked
for with members one by one, each deciding by its own guards. What is found is a run of the
definition, and as short as the counted one, than which none can be shorter.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from milepost_codegen.prove.system import Configuration, Run, RunStep

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from milepost_codegen.prove.explore import Explorer
    from milepost_codegen.prove.system import Move, Values

__all__ = ["realized"]

_MOST_TRIES: Final = 20_000
_MOST_STARTS: Final = 48


def realized(
    counted: Run, explorer: Explorer, ends_well: Callable[[Configuration], bool]
) -> Run | None:
    """A run of the explorer's system with the steps of `counted`, whose end is as wanted.

    None where there is none, or none among the values that are tried.
    """
    seen: set[tuple[object, ...]] = set()

    def search(run: Run) -> Run | None:
        done = len(run.steps)
        if done == len(counted.steps):
            return run if ends_well(run.end) else None
        for move, payload in _likewise(counted.steps[done], run.end, explorer):
            if not explorer.allows(move, run.end, payload):
                continue
            reached = explorer.after(move, run.end, payload)
            key = (done, reached.mode, *sorted(reached.values.items()))
            last = done + 1 == len(counted.steps)
            if key in seen or len(seen) > _MOST_TRIES or not (last or explorer.holds(reached)):
                continue
            seen.add(key)
            step = RunStep(move=move, payload=payload, after=reached)
            found = search(Run(start=run.start, steps=(*run.steps, step)))
            if found is not None:
                return found
        return None

    for values in explorer.starts(counted.start.values, _MOST_STARTS):
        start = Configuration(mode=counted.start.mode, values=values)
        if explorer.holds(start):
            found = search(Run(start=start))
            if found is not None:
                return found
    return None


def _likewise(
    step: RunStep, at: Configuration, explorer: Explorer
) -> Iterator[tuple[Move, Values]]:
    """The moves from here that do what `step` did, with the payloads to try."""
    wanted = step.move
    for pair in explorer.pairs(at.mode):
        for move in pair.moves:
            if not wanted.subject or wanted.transition is None:
                if move.name == wanted.name:
                    names = {one.name for one in move.inputs}
                    yield move, {k: v for k, v in step.payload.items() if k in names}
            elif (
                move.subject.startswith(f"{wanted.subject}[")
                and move.transition is not None
                and move.transition.source == wanted.transition.source
                and move.transition.target == wanted.transition.target
            ):
                for payload in explorer.payloads(pair, at):
                    yield move, payload
