"""An old job in words of no tool: its items with their events, and what it did beside."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

import msgspec

from milepost.legacy.prodigy import Finding, ItemStatus, OldJob, OutcomeKind
from milepost.legacy.prodigy_history.course import Course, course_of
from milepost.legacy.prodigy_history.fingerprint import fingerprint_of
from milepost.legacy.prodigy_history.items import Story, result_of, story_of
from milepost.legacy.prodigy_history.variables import first_variables, reduce_variables
from milepost.legacy.telling.attempts import MOST_ATTEMPTS
from milepost.legacy.telling.history import items_of, storable_text
from milepost.legacy.telling.names import Named
from milepost.legacy.telling.notes import Note, Notes
from milepost.legacy.telling.storable import encoded
from milepost.legacy.telling.values import Act, Move, ToldItem, ToldJob
from milepost.lifecycles.mapreduce import (
    Cause,
    JobEventName,
    JobStateName,
)
from milepost.log.drafts import ReportLine

__all__ = ["TOOL", "lines_of", "told_of"]

TOOL: Final = "prodigy"
"""The name of the tool in the log."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Told:
    """An item, and how its attempts were told."""

    told: ToldItem
    status: ItemStatus
    complete: bool
    story: Story


def lines_of(findings: tuple[Finding, ...]) -> tuple[ReportLine, ...]:
    """What the reader found, as lines of a report."""
    return tuple(
        ReportLine(
            severity=finding.severity.value,
            code=finding.code.value,
            place=finding.path,
            message=finding.message,
        )
        for finding in findings
    )


def told_of(old: OldJob, name: Named) -> ToldJob:
    """All that is known of an old job, which is `name.job_id` here. O(attempts)."""
    notes = Notes(old.source)
    if not old.source:
        return ToldJob(
            tool=TOOL,
            repo=name.repo,
            old_id=name.old_id,
            source="",
            report=lines_of(old.report),
            notes=notes,
            problem="nothing of the old job can be read",
        )
    if name.renamed:
        message = f"the job {old.job_id!r} of {old.repo or 'no known repo'} is {name.job_id!r} here"
        notes.add(Note.JOB_RENAMED, message)
    items, usable = items_of(((i.old_id, i.value, i.value_known) for i in old.items), notes)
    course = course_of(old, usable, notes)
    every: list[_Told] = []
    for item, stored, ending in zip(old.items, items, course.endings, strict=True):
        story = story_of(item, ending.status)
        then = (Move(ending.then),) if ending.then else ()
        known = item.result is not None and item.result.complete
        told = ToldItem(
            item=stored,
            old_id=item.old_id,
            moves=(*story.moves, *then),
            result=result_of(item.result),
        )
        every.append(_Told(told=told, status=item.status, complete=known, story=story))
    _report_attempts(every, notes)
    return ToldJob(
        tool=TOOL,
        repo=name.repo,
        old_id=name.old_id,
        source=old.source,
        fingerprint=fingerprint_of(old),
        report=lines_of(old.report),
        notes=notes,
        items=tuple(one.told for one in every),
        mapping=course.phase is not JobStateName.SETUP,
        acts=_course(old, course, notes),
        variables=first_variables(old, notes),
        max_dead=_max_dead(old, every),
        has_reduce=course.has_reduce,
        started_at=old.started_at,
        updated_at=old.updated_at,
        no_result=result_of(None),
    )


def _report_attempts(told: list[_Told], notes: Notes) -> None:
    untold = sum(one.story.untold for one in told)
    if untold:
        message = f"{untold} attempts are known only as a number: each is a failure that says so"
        notes.add(Note.ATTEMPTS_UNTOLD, message)
    added = [one.told.old_id for one in told if one.story.added]
    message = "items stand where no attempt that is known led: one was added to each"
    notes.some(Note.ATTEMPTS_ADDED, added, message)
    dropped = [one.told.old_id for one in told if one.story.dropped]
    message = f"items have more attempts than the {MOST_ATTEMPTS} there may be: the oldest left out"
    notes.some(Note.ATTEMPTS_DROPPED, dropped, message)
    unknown = [
        one.told.old_id for one in told if one.status is ItemStatus.DONE and not one.complete
    ]
    notes.some(Note.RESULTS_UNKNOWN, unknown, "items are done and what they gave is not known")


def _max_dead(old: OldJob, told: list[_Told]) -> int:
    """Every item where failures did not stop the old job; else as many as are dead already."""
    if old.config is not None and old.config.continue_on_failure:
        return len(told)
    return sum(one.told.dead for one in told)


def _course(old: OldJob, course: Course, notes: Notes) -> tuple[Act, ...]:
    """What the job itself did after its items, with its times."""
    reduce, acts = old.reduce, list[Act]()

    def take(event: JobEventName, at: datetime | None, **payload: object) -> None:
        acts.append(Act(event, at, payload))

    ended_at = old.outcome.at if old.outcome is not None else None
    mapped = course.phase in (JobStateName.REDUCE, JobStateName.COMPLETED)
    reduced = mapped and course.has_reduce
    if mapped:
        finished_at = reduce.started_at if course.has_reduce else ended_at
        take(JobEventName.FINISH_MAP, finished_at)
    variables = reduce_variables(old, notes)
    if variables and (reduced or not mapped):
        take(JobEventName.SET_VARIABLES, reduce.saved_at, variables=variables)
    if reduced and course.phase is JobStateName.COMPLETED:
        given = {"output": reduce.output, "steps": variables.get("prodigy.reduce_steps", [])}
        raw = encoded(given, "the result of reduce")
        if not isinstance(raw, msgspec.Raw):
            notes.add(Note.VALUE_NOT_STORED, str(raw))
            raw = msgspec.Raw(msgspec.json.encode(result_of(None)))
        take(JobEventName.FINISH_REDUCE, reduce.completed_at or ended_at, result=raw)
    message = old.outcome.message if old.outcome is not None else ""
    match course.stopped:
        case OutcomeKind.FAILED:
            told = storable_text(message)
            take(JobEventName.FAIL, ended_at, cause=Cause.ERROR.value, message=told)
        case OutcomeKind.PAUSED:
            take(JobEventName.PAUSE, ended_at)
        case _:
            pass
    return tuple(acts)
