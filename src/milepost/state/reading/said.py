"""What attempts said last of items that are not done: notes of work begun outside, and waits."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any, NamedTuple

from pyroaring import BitMap

from milepost.clock import instant
from milepost.items.ledger import bitmap
from milepost.job.state import JobState
from milepost.log.codec import decode_body
from milepost.log.facts import ItemsFired
from milepost.log.payloads import PayloadCodec
from milepost.log.rows import Row, StoredJob
from milepost.roles import Roles
from milepost.state.reading.meaning import Meaning
from milepost.state.reading.spanned import walk
from milepost.state.reading.values import payloads_of
from milepost.stores.protocol import Rows
from milepost.text.wording import short_repr

__all__ = ["Deferred", "deferred", "notes"]


class _Place(NamedTuple):
    """Where a note is: its commit, the fact in it, the item in that, and the field's name."""

    seq: int
    fact: int
    at: int
    field: str


@short_repr
class Deferred(NamedTuple):
    """How long an item waits: not before `until`; with `everyone`, no other item begins either.

    It was put off at `since`. All times are aware UTC.
    """

    until: datetime
    everyone: bool
    since: datetime


def notes(
    rows: Rows,
    job: StoredJob,
    state: JobState,
    url: str,
    payloads: PayloadCodec | None = None,
    wanted: BitMap | None = None,
) -> dict[int, Any]:  # Any: JSON
    """The newest note by ordinal, of the items `wanted` that have one.

    What was noted before an item was requeued or done again is of another life of it, and gone.
    Raises LogCorrupt, CodecAbsent, LifecycleChanged. Cost: one pass over the heads, and each body
    that holds such a note, decoded once; nothing where no item has one.
    """
    members = _marked(state, lambda roles: roles.note.marks if roles.note else None)
    if wanted is not None:
        members &= wanted
    by_seq: dict[int, list[tuple[int, _Place]]] = {}
    for ordinal, place in _noted(rows, job, state, url, members).items():
        by_seq.setdefault(place.seq, []).append((ordinal, place))
    told: dict[int, Any] = {}
    for seq, places in by_seq.items():
        (row,) = rows.rows(job.number, seq - 1, seq, bodies=True)
        body = decode_body(row, url=url, job_id=job.job_id, payloads=payloads) or []
        for ordinal, place in places:
            told[ordinal] = body[place.fact][place.at][place.field]
    return {ordinal: told[ordinal] for ordinal in sorted(told)}


def deferred(rows: Rows, job: StoredJob, state: JobState, url: str) -> dict[int, Deferred]:
    """Until when those items wait that were put off, by ordinal.

    Raises LogCorrupt, LifecycleChanged. Cost: one pass over the heads; nothing where none waits so.
    """
    members = _marked(state, lambda roles: roles.defer.marks if roles.defer else None)
    found: dict[int, Deferred] = {}
    if not members:
        return found
    for row, _, fact, roles in _facts(rows, job, state, url):
        defer = roles.defer
        if defer is not None and fact.event == defer.event:
            for ordinal, readable, _ in payloads_of(fact, None):
                if ordinal in members:
                    everyone = bool(readable.get(defer.everyone, False))
                    until = instant(readable[defer.until])
                    found[ordinal] = Deferred(until, everyone, instant(row.at_us))
        elif fact.event == roles.begin:
            for ordinal in fact.ordinals:
                found.pop(ordinal, None)
    return {ordinal: found[ordinal] for ordinal in sorted(found)}


def _marked(state: JobState, marks: Callable[[Roles], str | None]) -> BitMap:
    """The items whose variable says that there is something; all where no variable says it."""
    found = bitmap()
    for ledger in state.ledgers.values():
        variable = marks(ledger.machine.roles)
        if variable is not None:
            found |= ledger.marked(variable) if variable else ledger.universe
    return found


def _noted(
    rows: Rows, job: StoredJob, state: JobState, url: str, members: BitMap
) -> dict[int, _Place]:
    """Where the newest note of each of `members` is, since it was last begun anew."""
    found: dict[int, _Place] = {}
    for row, index, fact, roles in _facts(rows, job, state, url) if members else ():
        if roles.note is not None and fact.event == roles.note.event:
            for at, ordinal in enumerate(fact.ordinals):
                if ordinal in members:
                    found[ordinal] = _Place(row.seq, index, at, roles.note.note)
        elif fact.event in (roles.requeue, roles.redo.event if roles.redo else ""):
            for ordinal in fact.ordinals:
                found.pop(ordinal, None)
    return found


def _facts(
    rows: Rows, job: StoredJob, state: JobState, url: str
) -> Iterator[tuple[Row, int, ItemsFired, Roles]]:
    """The events of items: row, place in it, fact, and the roles of the version that wrote it."""
    meaning = Meaning(state)
    for told in walk(rows, job, state, url):
        for index, fact in enumerate(told.facts):
            if isinstance(fact, ItemsFired):
                yield told.row, index, fact, meaning.of_items(fact, told.version)
