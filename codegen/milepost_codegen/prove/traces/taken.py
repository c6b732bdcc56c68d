"""Traces are taken on the generated code before anybody is shown them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from milepost.machine import MilepostError
from milepost_codegen.prove.replay import generated
from milepost_codegen.prove.replay.walk import Deviation, walk

if TYPE_CHECKING:
    from collections.abc import Iterable

    from milepost.machine import Lifecycle as Tables
    from milepost_codegen.model import Lifecycle
    from milepost_codegen.prove.replay.walk import Place
    from milepost_codegen.prove.traces.search import Trace

__all__ = ["taken"]


def taken(lifecycle: Lifecycle, machine: str, traces: Iterable[Trace]) -> tuple[Trace, ...]:
    """The traces of a machine, with those unknown that the generated code does not take.

    Such a trace is a defect of the prover or of the generator, and says so.
    Cost: one import of the generated module, and one step of it for each step of a trace.
    """
    with generated(lifecycle) as tables:
        return tuple(_taken(tables, machine, one) for one in traces)


def _taken(tables: Tables, machine: str, trace: Trace) -> Trace:
    if trace.run is None:
        return trace
    try:
        place = walk(tables, machine, trace.run)
        if trace.goal.kind == "condition":
            _check_answer(trace, place)
    except Deviation as deviation:
        because = (
            "the generated code does not do what the run says, a defect of milepost; please"
            f" report it with the definition: {deviation}"
        )
        return replace(trace, outcome="unknown", run=None, payload={}, takes="", because=because)
    return trace


def _check_answer(trace: Trace, place: Place) -> None:
    """Raise Deviation unless the code answers the event at the end as the trace says."""
    try:
        done = place.step(trace.goal.danger.event, trace.payload)
    except MilepostError as refused:
        if trace.takes:
            raise Deviation(f"at the end {trace.takes} is taken, and not by the code") from refused
        return
    if done.transition != trace.takes and (trace.takes or not done.members):
        told = trace.takes or "no row"
        raise Deviation(f"at the end the code takes {done.transition}, and the run {told}")
