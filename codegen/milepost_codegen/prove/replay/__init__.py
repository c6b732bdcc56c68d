"""Every run of a report is taken on the generated code before anybody is shown it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from milepost_codegen.prove.replay.faults import check_fault, check_taken
from milepost_codegen.prove.replay.load import generated
from milepost_codegen.prove.replay.walk import Deviation, walk
from milepost_codegen.prove.report import RANK

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from milepost.machine import Lifecycle as Tables
    from milepost_codegen.model import Lifecycle
    from milepost_codegen.prove.report import Report, Result

__all__ = ["Deviation", "generated", "replay", "replayed"]


def replayed(report: Report) -> Report:
    """The report, with what the generated code does not do as its run says made undetermined.

    Such a result is a defect of the prover or of the generator, and says so.
    Cost: one import of the generated module, and one step of it for each step of a run.
    """
    if all(one.run is None for one in report.results):
        return report
    overlaps = {
        (one.obligation.machine, one.obligation.subject): one.obligation.key
        for one in report.results
        if one.obligation.kind == "deterministic" and one.verdict == "refuted"
    }
    with generated(report.lifecycle) as tables:
        results = [_replayed(report.lifecycle, tables, one, overlaps) for one in report.results]
    results.sort(key=lambda one: (RANK[one.verdict], bool(one.root)))  # stable
    return replace(report, results=tuple(results))


def replay(lifecycle: Lifecycle, tables: Tables, result: Result) -> None:
    """Take the run of a result on the code, to the end that it is said to have.

    Raises Deviation where the code does anything else.
    """
    run = result.run
    if run is None:
        return
    refuted = result.verdict == "refuted"
    kind, subject = result.obligation.kind, result.obligation.subject
    breaks = subject if refuted and kind == "invariant" else ""
    place = walk(tables, result.obligation.machine, run, breaks=breaks)
    if refuted:
        check_fault(lifecycle, result, run, place)
    else:
        check_taken(result, run)


def _replayed(
    lifecycle: Lifecycle,
    tables: Tables,
    result: Result,
    overlaps: Mapping[tuple[str, str], str],
) -> Result:
    """The result, undetermined if its run is none of the code."""
    try:
        if result.verdict != "undetermined":
            replay(lifecycle, tables, result)
    except Deviation as deviation:
        root = next(filter(None, (overlaps.get(pair) for pair in _pairs(result))), "")
        because = (
            "the generated code does not do what the run says, a defect of milepost; please"
            f" report it with the definition: {deviation}"
        )
        if root:
            because = (
                "a run was found, by rows that overlap, of which the generated code takes the"
                f" first: mend {root}, and check again"
            )
        return replace(
            result,
            verdict="undetermined",
            method="none",
            run=None,
            cycle=None,
            asked=None,
            root=root,
            because=because,
        )
    return result


def _pairs(result: Result) -> Iterator[tuple[str, str]]:
    """The states and events by which the run goes, with the machine whose they are."""
    for step in result.run.steps if result.run else ():
        row, subject = step.move.transition, step.move.subject
        if row is not None and not subject:
            yield result.obligation.machine, f"{row.source}.{row.event}"
