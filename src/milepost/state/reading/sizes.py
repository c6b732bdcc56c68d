"""Sizes: where the bytes of a job are, and which of its values are the largest."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import msgspec

from milepost.errors import Large
from milepost.items.blocks import entries_in
from milepost.job.state import JobState
from milepost.log.facts import ItemsFired, JobFired
from milepost.log.rows import Row, StoredSizes
from milepost.state.limits import largest_of
from milepost.state.reading.loading import JobLog
from milepost.state.reading.outline import Outline
from milepost.state.reading.spanned import lineage
from milepost.text.wording import short_repr

__all__ = ["JobSizes", "job_sizes"]


@short_repr
@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class JobSizes:
    """Where the bytes of a job are, as of commit `seq`: `stored` as they are on the disk.

    `largest` are its largest values, largest first, in bytes as JSON, before compression: inputs,
    results, messages and variables, those that a rewind has undone among them.
    """

    job_id: str
    seq: int
    stored: StoredSizes
    largest: tuple[Large, ...]


def job_sizes(log: JobLog, state: JobState | Outline, count: int) -> JobSizes:
    """The sizes of one job, with its `count` largest values.

    Cost: the job is read once and every value is decoded. Raises LogCorrupt, StoreUnreadable,
    and CodecAbsent where values are wanted that need a codec that is not at hand.
    """
    return JobSizes(
        job_id=log.job_id,
        seq=state.seq,
        stored=log.reader.sizes(log.number),
        largest=largest_of(_values(log, state), count) if count else (),
    )


def _values(log: JobLog, state: JobState | Outline) -> Iterator[Large]:
    for name, value in state.variables.items():
        yield Large(f"variable {name}", _size_bytes(value))
    url = log.url
    for block in log.reader.inputs(log.number):
        for key, encoded in entries_in(block, url, log.payloads):
            yield Large(f"input of {key!r}", len(encoded))
    stood_on = lineage(state)
    for row in log.rows(upto=state.seq, bodies=True):
        if row.body_digest:
            undone = not any(first <= row.seq <= last for first, last in stood_on)
            yield from _of_row(log, row, state, undone=undone)


def _of_row(log: JobLog, row: Row, state: JobState | Outline, *, undone: bool) -> Iterator[Large]:
    """The values of one commit; items of one that was undone may be others by now."""
    for fact, given in zip(log.facts(row), log.bodies(row), strict=True):
        if isinstance(fact, ItemsFired) and given:
            for ordinal, payload in zip(fact.ordinals, given, strict=True):
                whose = f"item {ordinal}" if undone else repr(state.inputs.key(ordinal))
                for name, value in (payload or {}).items():
                    place = f"{name} of {whose} at seq {row.seq}"
                    yield Large(place, _size_bytes(value))
        elif isinstance(fact, JobFired) and given:
            for name, value in given.items():
                yield Large(f"{name} of {fact.event} at seq {row.seq}", _size_bytes(value))


def _size_bytes(value: object) -> int:
    return len(msgspec.json.encode(value))
