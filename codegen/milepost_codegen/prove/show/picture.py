"""The drawing of a machine with a run's path lit: DOT, which becomes SVG."""

from __future__ import annotations

import textwrap
from collections import Counter
from typing import TYPE_CHECKING, Final

from milepost.drawings.course import Course
from milepost.drawings.dot import dot
from milepost.drawings.draw import draw
from milepost.drawings.looks import CURRENT
from milepost.text.escapes import printable
from milepost_codegen.drawings.sketch import sketch
from milepost_codegen.model import machine_named
from milepost_codegen.prove.counting import members_at
from milepost_codegen.prove.show.words import counted, event_of, fault, free_entries, shown_start

if TYPE_CHECKING:
    from collections.abc import Iterator

    from milepost_codegen.prove.report import Report, Result
    from milepost_codegen.prove.system import Run

__all__ = ["pictures"]

_WIDE: Final = 64  # lines below the drawing are broken there


def pictures(report: Report, result: Result) -> dict[str, str]:
    """The DOT texts of the machines that the run of `result` goes through, by machine.

    First its own, then those of its members, where these are one by one. Empty without a run.
    """
    run = result.run
    if run is None:
        return {}
    lifecycle = report.lifecycle
    caption = tuple(
        part
        for line in _caption(report, result, run)
        for part in textwrap.wrap(printable(line), _WIDE, subsequent_indent="    ")
    )
    own = machine_named(lifecycle, result.obligation.machine)
    courses = {own.name: _own_course(run, caption)}
    for collection in own.collections:
        there = {
            name: state
            for name, state in members_at(run.end).items()
            if name.startswith(f"{collection.name}[")
        }
        if there:
            courses[collection.machine] = _course_of_members(run, collection.name, there, caption)
    return {
        name: dot(draw(sketch(machine_named(lifecycle, name))), lifecycle.name, course)
        for name, course in courses.items()
    }


def _own_course(run: Run, caption: tuple[str, ...]) -> Course:
    rows = [step.move.transition for step in run.steps if not step.move.subject]
    visited = [run.start.mode, *(step.after.mode for step in run.steps)]
    return Course(
        times=Counter(row.id for row in rows if row is not None),
        visited=tuple(dict.fromkeys(visited)),
        current={run.end.mode: f"{CURRENT.glyph} the run ends"},
        caption=caption,
    )


def _course_of_members(
    run: Run, collection: str, there: dict[str, str], caption: tuple[str, ...]
) -> Course:
    """The way of all members of a collection; rows that their owner sent are not counted."""
    rows = [
        step.move.transition for step in run.steps if step.move.subject.startswith(f"{collection}[")
    ]
    points = [run.start, *(step.after for step in run.steps)]
    visited = [state for at in points for name, state in members_at(at).items() if name in there]
    ends = Counter(there.values())
    return Course(
        times=Counter(row.id for row in rows if row is not None),
        visited=tuple(dict.fromkeys(visited)),
        current={state: f"{CURRENT.glyph} {number}" for state, number in ends.items()},
        caption=caption,
    )


def _caption(report: Report, result: Result, run: Run) -> Iterator[str]:
    yield f"{result.verdict} {result.obligation.key}: {result.obligation.claim}"
    yield f"created in {run.start.mode}: {shown_start(run, free_entries(result))}".removesuffix(
        ": "
    )
    for number, step in enumerate(run.steps, start=1):
        yield f"{number}. {event_of(step)} -> {step.after.mode}"
    if not run.steps:
        yield counted(0, "step")
    told = fault(report, result)
    if told:
        yield told
