"""A told job as a log: its first fact, its items, and every commit that leads where it stood."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any, Final

import msgspec

from milepost.errors import ImportFailed, ValueInvalid
from milepost.items.blocks import Listing, entries_of
from milepost.items.inputs import Item
from milepost.legacy.telling.names import Named
from milepost.legacy.telling.notes import Note, Notes, report_of
from milepost.legacy.telling.storable import encoded, item_key
from milepost.legacy.telling.timeline import Happening, Times, commits_of
from milepost.legacy.telling.values import Act, ToldItem, ToldJob
from milepost.lifecycles.mapreduce import (
    ITEM,
    JOB,
    ItemEventName,
    JobEventName,
    item_context,
    job_context,
)
from milepost.log.drafts import CommitDraft, LogDraft
from milepost.log.facts import Draft, Imported, JobCreated, JobFired
from milepost.log.payloads import PayloadCodec
from milepost.machine import Lifecycle, Machine, Values
from milepost.worker.values import encode_value

__all__ = ["items_of", "log_of", "storable_text"]

_LEAST_ATTEMPTS: Final = 3


def log_of(
    told: ToldJob,
    name: Named,
    *,
    lifecycle: Lifecycle,
    now_us: int,
    payloads: PayloadCodec | None = None,
) -> LogDraft:
    """The whole log of an old job, which is `name.job_id` here and runs by `lifecycle`.

    The values of its items pass through `payloads`. Each commit has its old time, or where none
    is known that of the thing before it; what is later than `now_us` is taken to have been now.
    Raises ImportFailed where no job can be made of it, ValueInvalid where a thousand items take
    more than may be stored together. Cost: O(attempts log attempts); memory: the job, and its log
    once more.
    """
    if told.problem:
        report = tuple(str(line) for line in report_of(told.report))
        raise ImportFailed(job_id=name.job_id, problem=told.problem, report=report)
    notes = Notes(told.source)
    notes.lines = list(told.notes.lines)
    listing = Listing(entries_of([one.item for one in told.items], payloads), payloads=payloads)
    blocks = [filled.block for filled in listing.blocks()]
    created = JobCreated(
        lifecycle=lifecycle.name,
        version=lifecycle.version,
        digest=lifecycle.digest,
        job_params=_params(JOB, job_context(max_dead=told.max_dead, has_reduce=told.has_reduce)),
        item_params=_params(ITEM, item_context(max_attempts=_max_attempts(told.items))),
        variables=dict(told.variables),
        item_count=listing.count,
        fingerprint=listing.fingerprint,
    )
    times = Times(now_us)
    created_at_us = _created_at_us(told, times, now_us)
    commits = _map(told, notes, times, created_at_us) if told.mapping else []
    after_us = commits[-1].at_us if commits else created_at_us
    for act in told.acts:
        after_us = times.of(act.at, after_us)
        commits.append(CommitDraft(after_us, [_fired(act)]))
    updated_at_us = times.of(told.updated_at, after_us)
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
            tool=told.tool,
            source=told.source,
            repo=name.repo,
            old_id=name.old_id,
            fingerprint=told.fingerprint,
            imported_at_us=now_us,
        ),
        report=report_of(told.report, notes.lines),
        created_at_us=created_at_us,
        updated_at_us=updated_at_us,
        commits=tuple(commits),
    )


def items_of(
    old: Iterable[tuple[str, Any, bool]],  # Any: JSON
    notes: Notes,
) -> tuple[list[Item], list[bool]]:
    """Items as they are stored, and of each whether it can be worked on.

    `old` has the id, the value and whether the value is known, of each. Ids that are no keys here
    and values that cannot be stored are noted.
    """
    items: list[Item] = []
    usable: list[bool] = []
    renamed: list[str] = []
    for old_id, value, known in old:
        key = item_key(old_id)
        if key != old_id:
            renamed.append(old_id)
        problem = isinstance(encoded(value, f"item {key!r}"), ValueInvalid)
        if problem:
            message = f"the value of item {key[:80]!r} is too deep or too large to be stored"
            notes.add(Note.VALUE_NOT_STORED, message)
        usable.append(known and not problem)
        items.append(Item(key=key, value=None if problem else value))
    notes.some(Note.ITEM_RENAMED, renamed, "ids of items are no keys here: made from their digests")
    return items, usable


def storable_text(message: str) -> str:
    """The message, or where it cannot be stored what says so."""
    raw = encoded(message, "a message")
    if isinstance(raw, msgspec.Raw):
        return message
    return f"(a message that cannot be stored: {raw.problem})"


def _parted(
    machine: Machine, event: str, payload: Values
) -> tuple[dict[str, Any], dict[str, msgspec.Raw] | None]:
    """The payload of an event: what the fold reads of it, and the rest, encoded."""
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


def _max_attempts(items: tuple[ToldItem, ...]) -> int:
    """As many that all told attempts are legal, and one is left for each item still to do."""
    needed = (one.attempts + (not one.settled) for one in items)
    return max(_LEAST_ATTEMPTS, *needed, 0)


def _created_at_us(told: ToldJob, times: Times, now_us: int) -> int:
    known: list[datetime] = [
        move.at for one in told.items for move in one.moves if move.at is not None
    ]
    if told.started_at is not None:
        known.append(told.started_at)
    first = min(known, default=told.updated_at)
    return now_us if first is None else times.of(first, 0)


def _map(told: ToldJob, notes: Notes, times: Times, created_at_us: int) -> list[CommitDraft]:
    """The map phase: its beginning, and all that is known of the items, by time."""
    happened: list[Happening] = []
    for ordinal, one in enumerate(told.items):
        at_us = created_at_us
        for rank, move in enumerate(one.moves):
            at_us = times.of(move.at, at_us)
            event, given = str(move.event), dict[str, object]()
            match event:
                case ItemEventName.FAIL.value:
                    message = storable_text(move.message)
                    given = {"cause": str(move.cause), "message": message}
                case ItemEventName.SUCCEED.value:
                    given = {"result": _result(one, told.no_result, notes)}
                case _:
                    pass
            readable, opaque = _parted(ITEM, event, given)
            happened.append(Happening(at_us, rank, event, ordinal, readable or None, opaque))
    began = _fired(Act(JobEventName.START_MAP, payload={"variables": {}}))
    return [CommitDraft(created_at_us, [began]), *commits_of(happened)]


def _result(one: ToldItem, no_result: object, notes: Notes) -> msgspec.Raw:
    raw = encoded(one.result, f"the result of item {one.old_id[:80]!r}")
    if isinstance(raw, msgspec.Raw):
        return raw
    notes.add(Note.VALUE_NOT_STORED, str(raw))
    return msgspec.Raw(msgspec.json.encode(no_result))


def _params(machine: Machine, context: Values) -> dict[str, Any]:
    """The parameters in the context that a machine begins with."""
    return {one.name: context[one.name] for one in machine.variables if one.param}


def _fired(act: Act) -> Draft:
    """An event of the job, with its payload."""
    event = str(act.event)
    readable, opaque = _parted(JOB, event, dict(act.payload))
    return Draft(fact=JobFired(event, readable), body=opaque)
