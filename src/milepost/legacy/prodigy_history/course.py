"""How far an old job goes here, and where its items stand in the end.

The old tool could leave a phase with items that had no outcome; here that is not legal. A job that
was being reduced stays in map until its last items are worked on; one that was done stays so, and
such items are left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from milepost.legacy.prodigy import ItemStatus, OldItem, OldJob, OldPhase, OutcomeKind
from milepost.legacy.telling.notes import Note, Notes
from milepost.lifecycles.mapreduce import ItemEventName, JobStateName

__all__ = ["Course", "Ending", "course_of"]

_OPEN: Final = frozenset({ItemStatus.PENDING, ItemStatus.IN_FLIGHT})
_DECIDED: Final = frozenset({ItemStatus.DONE, ItemStatus.DEAD})


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """Where the history of an item leads, and an event that follows it here, if one does."""

    status: ItemStatus
    then: ItemEventName | None = None

    @property
    def settled(self) -> bool:
        """True if no attempt follows."""
        return self.then is ItemEventName.SKIP or self.status in _DECIDED


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """The furthest phase, how the job stopped in it if it did, and how each item ends, in order."""

    phase: JobStateName
    stopped: OutcomeKind | None
    has_reduce: bool
    endings: tuple[Ending, ...]


def course_of(old: OldJob, usable: Sequence[bool], notes: Notes) -> Course:
    """The course of the job. `usable` says of each item whether its value is here to work on."""
    needy = [
        not known and i.status not in _DECIDED for i, known in zip(old.items, usable, strict=True)
    ]
    phase = _phase(old, needy, notes)
    stopped = (
        old.outcome.kind
        if old.outcome is not None and phase is not JobStateName.COMPLETED
        else None
    )
    if stopped is OutcomeKind.COMPLETED:
        stopped = None
    endings = tuple(
        _ending(item, phase, needs_value=needs)
        for item, needs in zip(old.items, needy, strict=True)
    )
    skipped = [i.old_id for i, needs in zip(old.items, needy, strict=True) if needs]
    notes.some(Note.ITEMS_SKIPPED, skipped, "items have no value to work on: left out of the job")
    if phase in (JobStateName.REDUCE, JobStateName.COMPLETED):
        opened = [
            item.old_id
            for item, ending in zip(old.items, endings, strict=True)
            if ending.status is not item.status or (ending.then and item.old_id not in skipped)
        ]
        message = f"items without an outcome in a job that was in {phase}: dead, or left out"
        notes.some(Note.ITEMS_SETTLED, opened, message)
    return Course(
        phase=phase, stopped=stopped, has_reduce=_has_reduce(old, phase, notes), endings=endings
    )


def _phase(old: OldJob, needy: Sequence[bool], notes: Notes) -> JobStateName:
    match old.phase:
        case OldPhase.DONE:
            return JobStateName.COMPLETED
        case OldPhase.REDUCE:
            waiting = [
                item.old_id
                for item, needs in zip(old.items, needy, strict=True)
                if item.status in _OPEN and not needs
            ]
            message = "items without an outcome in a job that was in reduce: it is in map here"
            notes.some(Note.PHASE_HELD_BACK, waiting, message)
            return JobStateName.MAP if waiting else JobStateName.REDUCE
        case OldPhase.SETUP if not any(needy):
            return JobStateName.SETUP
        case OldPhase.SETUP:
            notes.add(Note.PHASE_HELD_BACK, "only in map can items be left out: it is in map here")
        case None:
            notes.add(
                Note.PHASE_UNKNOWN, "nothing says how far the job had come: it is in map here"
            )
        case _:
            pass
    return JobStateName.MAP


def _ending(item: OldItem, phase: JobStateName, *, needs_value: bool) -> Ending:
    if needs_value or (phase is JobStateName.COMPLETED and item.status in _OPEN):
        return Ending(status=item.status, then=ItemEventName.SKIP)
    if phase in (JobStateName.REDUCE, JobStateName.COMPLETED) and item.status is ItemStatus.FAILED:
        return Ending(status=ItemStatus.DEAD)
    return Ending(status=item.status)


def _has_reduce(old: OldJob, phase: JobStateName, notes: Notes) -> bool:
    if old.has_reduce is not None:
        return old.has_reduce
    if phase is JobStateName.COMPLETED:
        return old.reduce.started
    message = "nothing says whether the job is to be reduced: it is here"
    notes.add(Note.REDUCE_UNKNOWN, message)
    return True
