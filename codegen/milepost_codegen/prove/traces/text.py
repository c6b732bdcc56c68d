"""Traces as people read them: how much they cover, what they do not, and each run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from milepost.text.escapes import printable
from milepost_codegen.prove.show.text import run_lines
from milepost_codegen.prove.show.words import called, counted, shown_start
from milepost_codegen.prove.traces.coverage import KINDS, OUTCOMES

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from milepost_codegen.prove.traces.coverage import Coverage
    from milepost_codegen.prove.traces.goals import Kind
    from milepost_codegen.prove.traces.search import Trace

__all__ = ["render_traces"]

_PLURALS: Final[Mapping[Kind, str]] = {"row": "rows", "pair": "pairs", "condition": "conditions"}


def render_traces(coverage: Coverage) -> str:
    """How much of the lifecycle is covered, then every trace; in lines that are safe to show."""
    return "".join(f"{line}\n" for line in _lines(coverage))


def _lines(coverage: Coverage) -> Iterator[str]:
    lifecycle = coverage.lifecycle
    by = "" if coverage.solved else " (without a solver)"
    yield printable(f"traces of {lifecycle.name}, version {lifecycle.version}{by}")
    for kind in KINDS:
        numbers = {outcome: coverage.count(kind, outcome) for outcome in OUTCOMES}
        told = ", ".join(f"{number} {outcome}" for outcome, number in numbers.items())
        yield f"  {_PLURALS[kind]}: {told}"
    for found in coverage.traces.values():
        for one in found:
            yield ""
            yield from _trace(one)


def _trace(one: Trace) -> Iterator[str]:
    goal, run = one.goal, one.run
    yield printable(f"{one.outcome} {goal.key}: {goal.about}")
    if run is None:
        yield printable(f"  {one.because or 'it is proved that no run does'}")
        return
    length = counted(len(run.steps), "step")
    yield f"  {'' if one.shortest else 'a run of '}{length}:"
    yield from run_lines(run, shown_start(run, one.free))
    if goal.kind == "condition":
        answer = f"is then taken by {one.takes}" if one.takes else "is then refused"
        also = "" if one.alone else "; whatever the condition is, the guard says the same"
        yield printable(f"  {called(goal.danger.event, one.payload)} {answer}{also}")
