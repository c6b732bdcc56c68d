"""Every run of a report is taken on the generated code before anybody is shown it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from milepost_codegen.prove.replay.faults import check_fault, check_taken
from milepost_codegen.prove.replay.load import generated
from milepost_codegen.prove.replay.walk import Deviation, walk

if TYPE_CHECKING:
    from milepost.machine import Lifecycle as Tables
    from milepost_codegen.model import Lifecycle
    from milepost_codegen.prove.report import Report, Result

__all__ = ["generated", "replayed"]


def replayed(report: Report) -> Report:
    """The report, with what the generated code does not do as its run says made undetermined.

    Such a result is a defect of the prover or of the generator, and says so.
    Cost: one import of the generated module, and one step of it for each step of a run.
    """
    if all(one.run is None for one in report.results):
        return report
    with generated(report.lifecycle) as tables:
        results = tuple(_replayed(report.lifecycle, tables, one) for one in report.results)
    order = {"refuted": 0, "undetermined": 1, "proved": 2}
    return replace(report, results=tuple(sorted(results, key=lambda one: order[one.verdict])))


def _replayed(lifecycle: Lifecycle, tables: Tables, result: Result) -> Result:
    run = result.run
    if run is None or result.verdict == "undetermined":
        return result
    refuted = result.verdict == "refuted"
    kind, subject = result.obligation.kind, result.obligation.subject
    breaks = subject if refuted and kind == "invariant" else ""
    try:
        place = walk(tables, result.obligation.machine, run, breaks=breaks)
        if refuted:
            check_fault(lifecycle, result, run, place)
        else:
            check_taken(result, run)
    except Deviation as deviation:
        return replace(
            result,
            verdict="undetermined",
            method="none",
            run=None,
            cycle=None,
            asked=None,
            root="",
            because=(
                "the generated code does not do what the run says, a defect of milepost; please"
                f" report it with the definition: {deviation}"
            ),
        )
    return result
