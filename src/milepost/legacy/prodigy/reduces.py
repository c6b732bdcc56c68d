"""The progress of the reduce phase: `reduce-checkpoint-v{V}-{YYYYmmdd_HHMMSS}.json`.

Has no hash. Renamed without a sync. The original takes the newest by the file's own time, which a
copied home does not keep: here the time inside decides. The next step is the number of those
completed.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from typing import Any, Final

from pydantic import Field

from milepost.legacy.prodigy.files import Limits, OldFile, load
from milepost.legacy.prodigy.report import Code, Report
from milepost.legacy.prodigy.values import OldReduce, OldReduceStep
from milepost.legacy.prodigy.wire import Count, Instant, Part

__all__ = ["VERSION", "ReduceProgress", "choose_reduce", "reduce_of"]

VERSION: Final = 1
"""The only version of this file that was ever written."""


class StepResult(Part):
    """The outcome of one step."""

    step_index: Count
    success: bool
    output: str | None = None
    error: str | None = None
    duration_secs: float = Field(ge=0, le=1e12)


class ReduceProgress(Part):
    """How far reducing had come."""

    version: Count
    completed_steps: Count
    total_steps: Count
    step_results: list[StepResult]
    variables: dict[str, str]
    map_results: list[Any]  # Any: JSON
    timestamp: Instant


def choose_reduce(
    files: Iterable[OldFile], limits: Limits, report: Report
) -> tuple[OldFile, ReduceProgress] | None:
    """The newest progress, by the time in it, that can be read; or None."""
    chosen: tuple[OldFile, ReduceProgress] | None = None
    unread: list[OldFile] = []
    for file in files:
        progress = load(file, ReduceProgress, limits, report)
        if progress is not None and progress.version > VERSION:
            message = f"is of version {progress.version}; known is {VERSION}"
            report.add(Code.VERSION_NEWER, file.shown, message)
            progress = None
        if progress is None:
            unread.append(file)
        elif chosen is None or _rank(file, progress) > _rank(*chosen):
            chosen = file, progress
    if chosen is None:
        return None
    file, progress = chosen
    report.add(Code.CHOSEN, file.shown, f"the reduce phase, of {progress.timestamp:%FT%TZ}")
    if unread and unread[-1].name > file.name:
        message = f"used in place of {unread[-1].name}, which could not be read"
        report.add(Code.FELL_BACK, file.shown, message)
    succeeded = sum(step.success for step in progress.step_results)
    if progress.completed_steps > progress.total_steps or succeeded < progress.completed_steps:
        message = (
            f"counts {progress.completed_steps} of {progress.total_steps} steps completed and has"
            f" the results of {succeeded}"
        )
        report.add(Code.INCONSISTENT, file.shown, message)
    return chosen


def _rank(file: OldFile, progress: ReduceProgress) -> tuple[object, ...]:
    return progress.timestamp, progress.completed_steps, file.modified_ns, file.shown


def reduce_of(file: OldFile, progress: ReduceProgress) -> OldReduce:
    """The progress as a neutral value."""
    return OldReduce(
        started=True,
        completed=progress.total_steps > 0 and progress.completed_steps >= progress.total_steps,
        steps=tuple(
            OldReduceStep(
                index=step.step_index,
                success=step.success,
                output=step.output,
                error=step.error,
                duration=timedelta(seconds=step.duration_secs),
            )
            for step in progress.step_results
        ),
        next_step=progress.completed_steps,
        total_steps=progress.total_steps,
        variables=progress.variables,
        map_results=tuple(progress.map_results),
        saved_at=progress.timestamp,
        source=file.shown,
    )
