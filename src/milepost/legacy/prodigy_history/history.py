"""An old job as a log: its first fact, its items, and every commit that leads where it stood."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import msgspec

from milepost.errors import ImportFailed, ValueInvalid
from milepost.items.blocks import Listing, entries_of
from milepost.items.inputs import Item
from milepost.legacy.prodigy import ItemStatus, OldItem, OldJob, OutcomeKind
from milepost.legacy.prodigy_history.course import Course, Ending, course_of
from milepost.legacy.prodigy_history.fingerprint import fingerprint_of
from milepost.legacy.prodigy_history.items import MOST_ATTEMPTS, Story, result_of, story_of
from milepost.legacy.prodigy_history.names import Named
from milepost.legacy.prodigy_history.notes import Note, Notes, lines_of
from milepost.legacy.prodigy_history.storable import encoded, item_key
from milepost.legacy.prodigy_history.timeline import Happening, Times, commits_of
from milepost.legacy.prodigy_history.variables import first_variables, reduce_variables
from milepost.lifecycles.mapreduce import (
    ITEM,
    JOB,
    AnyItemEvent,
    AnyJobEvent,
    Cause,
    ItemEventName,
    ItemFail,
    ItemSucceed,
    JobFail,
    JobFinishMap,
    JobFinishReduce,
    JobPause,
    JobSetVariables,
    JobStartMap,
    JobStateName,
    item_context,
    job_context,
)
from milepost.log.drafts import CommitDraft, LogDraft
from milepost.log.facts import Draft, Imported, JobCreated, JobFired
from milepost.log.payloads import PayloadCodec
from milepost.machine import Lifecycle, Machine, Values
from milepost.worker.values import encode_value

__all__ = ["TOOL", "log_of"]

TOOL: Final = "prodigy"
"""The name of the tool in the log."""

_LEAST_ATTEMPTS: Final = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class _Told:
    """An item of the job with its ordinal, how it ends, and the events that lead there."""

    ordinal: int
    item: OldItem
    ending: Ending
    story: Story


def log_of(
    old: OldJob,
    name: Named,
    *,
    lifecycle: Lifecycle,
    now_us: int,
    payloads: PayloadCodec | None = None,
) -> LogDraft:
    """The whole log of an old job, which is `name.job_id` here and runs by `lifecycle`.

    The values of its items pass through `payloads`. Each commit has its old time, or where none
    is known that of the thing before it; what is later than `now_us` is taken to have been now.
    Raises ImportFailed where nothing is known of
    the job, ValueInvalid where a thousand items take more than may be stored together. Cost:
    O(attempts log attempts); memory: the job, and its log once more.
    """
    if not old.source:
        problem = "nothing of the old job can be read"
        report = tuple(str(line) for line in lines_of(old.report))
        raise ImportFailed(job_id=name.job_id, problem=problem, report=report)
    notes = Notes(old.source)
    if name.renamed:
        message = f"the job {old.job_id!r} of {old.repo or 'no known repo'} is {name.job_id!r} here"
        notes.add(Note.JOB_RENAMED, message)
    items, usable = _items(old, notes)
    listing = Listing(entries_of(items, payloads), payloads=payloads)
    blocks = [filled.block for filled in listing.blocks()]
    course = course_of(old, usable, notes)
    told = [
        _Told(ordinal=ordinal, item=item, ending=ending, story=story_of(item, ending.status))
        for ordinal, (item, ending) in enumerate(zip(old.items, course.endings, strict=True))
    ]
    _report_attempts(told, notes)
    created = JobCreated(
        lifecycle=lifecycle.name,
        version=lifecycle.version,
        digest=lifecycle.digest,
        job_params=_params(
            JOB, job_context(max_dead=_max_dead(old, told), has_reduce=course.has_reduce)
        ),
        item_params=_params(ITEM, item_context(max_attempts=_max_attempts(told))),
        variables=first_variables(old, notes),
        item_count=listing.count,
        fingerprint=listing.fingerprint,
    )
    times = Times(now_us)
    created_at_us = _created_at_us(old, told, times, now_us)
    commits = [] if course.phase is JobStateName.SETUP else _map(told, notes, times, created_at_us)
    after_us = commits[-1].at_us if commits else created_at_us
    commits += _course(old, course, notes, times, after_us)
    after_us = commits[-1].at_us if commits else created_at_us
    updated_at_us = times.of(old.updated_at, after_us)
    if times.clamped:
        message = (
            f"{times.clamped} times are before 1970 or yet to come: moved to where they can be"
        )
        notes.add(Note.TIMES_CLAMPED, message)
    return LogDraft(
        job_id=name.job_id,
        created=created,
        blocks=tuple(blocks),
        imported=Imported(
            tool=TOOL,
            source=old.source,
            repo=name.repo,
            old_id=name.old_id,
            fingerprint=fingerprint_of(old),
            imported_at_us=now_us,
        ),
        report=lines_of(old.report, notes.lines),
        created_at_us=created_at_us,
        updated_at_us=updated_at_us,
        commits=tuple(commits),
    )


def _items(old: OldJob, notes: Notes) -> tuple[list[Item], list[bool]]:
    """The items as they are stored, and of each whether it can be worked on."""
    items: list[Item] = []
    usable: list[bool] = []
    renamed: list[str] = []
    for item in old.items:
        key = item_key(item.old_id)
        if key != item.old_id:
            renamed.append(item.old_id)
        problem = isinstance(encoded(item.value, f"item {key!r}"), ValueInvalid)
        if problem:
            message = f"the value of item {key[:80]!r} is too deep or too large to be stored"
            notes.add(Note.VALUE_NOT_STORED, message)
        usable.append(item.value_known and not problem)
        items.append(Item(key=key, value=None if problem else item.value))
    notes.some(Note.ITEM_RENAMED, renamed, "ids of items are no keys here: made from their digests")
    return items, usable


def _report_attempts(told: list[_Told], notes: Notes) -> None:
    untold = sum(one.story.untold for one in told)
    if untold:
        message = f"{untold} attempts are known only as a number: each is a failure that says so"
        notes.add(Note.ATTEMPTS_UNTOLD, message)
    added = [one.item.old_id for one in told if one.story.added]
    message = "items stand where no attempt that is known led: one was added to each"
    notes.some(Note.ATTEMPTS_ADDED, added, message)
    dropped = [one.item.old_id for one in told if one.story.dropped]
    message = f"items have more attempts than the {MOST_ATTEMPTS} there may be: the oldest left out"
    notes.some(Note.ATTEMPTS_DROPPED, dropped, message)
    unknown = [
        one.item.old_id
        for one in told
        if one.item.status is ItemStatus.DONE
        and (one.item.result is None or not one.item.result.complete)
    ]
    notes.some(Note.RESULTS_UNKNOWN, unknown, "items are done and what they gave is not known")


def _max_attempts(told: list[_Told]) -> int:
    """As many that all told attempts are legal, and one is left for each item still to do."""
    needed = (one.story.attempts + (not one.ending.settled) for one in told)
    return max(_LEAST_ATTEMPTS, *needed, 0)


def _max_dead(old: OldJob, told: list[_Told]) -> int:
    """Every item where failures did not stop the old job; else as many as are dead already."""
    if old.config is not None and old.config.continue_on_failure:
        return len(told)
    return sum(one.ending.status is ItemStatus.DEAD for one in told)


def _created_at_us(old: OldJob, told: list[_Told], times: Times, now_us: int) -> int:
    known: list[datetime] = [
        move.at for one in told for move in one.story.moves if move.at is not None
    ]
    if old.started_at is not None:
        known.append(old.started_at)
    first = min(known, default=old.updated_at)
    return now_us if first is None else times.of(first, 0)


def _map(told: list[_Told], notes: Notes, times: Times, created_at_us: int) -> list[CommitDraft]:
    """The map phase: its beginning, and all that is known of the items, by time."""
    happened: list[Happening] = []
    for one in told:
        at_us = created_at_us
        for rank, move in enumerate(one.story.moves):
            at_us = times.of(move.at, at_us)
            match move.event:
                case ItemEventName.FAIL:
                    readable, opaque = _parted(
                        ITEM, ItemFail(cause=move.cause, message=_text(move.message))
                    )
                case ItemEventName.SUCCEED:
                    readable, opaque = _parted(ITEM, ItemSucceed(result=_result(one.item, notes)))
                case _:
                    readable, opaque = {}, None
            event = move.event.value
            happened.append(Happening(at_us, rank, event, one.ordinal, readable or None, opaque))
        if one.ending.then:
            rank = len(one.story.moves)
            happened.append(Happening(at_us, rank, one.ending.then.value, one.ordinal))
    began = _fired(JobStartMap(variables={}))
    return [CommitDraft(created_at_us, [began]), *commits_of(happened)]


def _result(item: OldItem, notes: Notes) -> msgspec.Raw:
    raw = encoded(result_of(item.result), f"the result of item {item.old_id[:80]!r}")
    if isinstance(raw, msgspec.Raw):
        return raw
    notes.add(Note.VALUE_NOT_STORED, str(raw))
    return msgspec.Raw(msgspec.json.encode(result_of(None)))


def _text(message: str) -> str:
    raw = encoded(message, "a message")
    if isinstance(raw, msgspec.Raw):
        return message
    return f"(a message that cannot be stored: {raw.problem})"


def _params(machine: Machine, context: Values) -> dict[str, Any]:
    """The parameters in the context that a machine begins with."""
    return {one.name: context[one.name] for one in machine.variables if one.param}


def _fired(payload: AnyJobEvent) -> Draft:
    """An event of the job, with its payload."""
    readable, opaque = _parted(JOB, payload)
    return Draft(fact=JobFired(payload.event.value, readable), body=opaque)


def _parted(
    machine: Machine, payload: AnyItemEvent | AnyJobEvent
) -> tuple[dict[str, Any], dict[str, msgspec.Raw] | None]:
    """The payload of an event: what the fold reads of it, and the rest, encoded."""
    event = payload.event.value
    readable: dict[str, Any] = {}
    opaque: dict[str, msgspec.Raw] = {}
    given = machine.payload(event, payload)
    for part in machine.event_specs[event].fields:
        value = given[part.name]
        if part.readable or (event, part.name) in machine.roles.variables:
            readable[part.name] = value
        elif isinstance(value, msgspec.Raw):
            opaque[part.name] = value
        else:
            opaque[part.name] = msgspec.Raw(encode_value(value, part.name))
    return readable, opaque or None


def _course(
    old: OldJob, course: Course, notes: Notes, times: Times, after_us: int
) -> list[CommitDraft]:
    """What the job itself did after its items, one commit each."""
    reduce, commits = old.reduce, list[CommitDraft]()

    def take(payload: AnyJobEvent, at: datetime | None) -> None:
        at_us = times.of(at, commits[-1].at_us if commits else after_us)
        commits.append(CommitDraft(at_us, [_fired(payload)]))

    ended_at = old.outcome.at if old.outcome is not None else None
    mapped = course.phase in (JobStateName.REDUCE, JobStateName.COMPLETED)
    reduced = mapped and course.has_reduce
    if mapped:
        finished_at = reduce.started_at if course.has_reduce else ended_at
        take(JobFinishMap(), finished_at)
    variables = reduce_variables(old, notes)
    if variables and (reduced or not mapped):
        take(JobSetVariables(variables=variables), reduce.saved_at)
    if reduced and course.phase is JobStateName.COMPLETED:
        given = {"output": reduce.output, "steps": variables.get("prodigy.reduce_steps", [])}
        raw = encoded(given, "the result of reduce")
        if not isinstance(raw, msgspec.Raw):
            notes.add(Note.VALUE_NOT_STORED, str(raw))
            raw = msgspec.Raw(msgspec.json.encode(result_of(None)))
        take(JobFinishReduce(result=raw), reduce.completed_at or ended_at)
    message = old.outcome.message if old.outcome is not None else ""
    match course.stopped:
        case OutcomeKind.FAILED:
            take(JobFail(cause=Cause.ERROR, message=_text(message)), ended_at)
        case OutcomeKind.PAUSED:
            take(JobPause(), ended_at)
        case _:
            pass
    return commits
