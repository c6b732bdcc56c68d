"""Collecting: do what a retention plan says, a little at a time, beside executors and each other.

A job goes in two acts. First a tombstone takes the place of its entry, in one commit, decided
again under the write lock: from then on nobody finds the job, and its id is free. Then its rows
go, batch by batch. A collector that dies between two commits leaves nothing but rows that nobody
can reach, and the next one goes on with them.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from milepost.defaults import BATCH_ROWS, pause
from milepost.state.keeping.objects import clear_folders
from milepost.state.keeping.retention import RetentionPlan, Verdict, judge
from milepost.state.reading.loading import JobLog, Loader
from milepost.state.writing.arriving import erased
from milepost.state.writing.observing import Observer
from milepost.stores.protocol import Writer
from milepost.text.escapes import printable
from milepost.text.wording import short_repr

__all__ = ["BATCH_ROWS", "Collected", "PassedOver", "collect", "pause"]

_log: Final = logging.getLogger("milepost.retention")


@short_repr
class PassedOver(NamedTuple):
    """A job of the plan that was left alone after all, and why."""

    job_id: str
    why: str


@short_repr
@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Collected:
    """The work of one collector.

    `deleted` are the ids of the jobs that it took away, `finished` those whose deletion another
    had begun. `objects` counts what they had kept
    beside their logs. `rows` and `freed_bytes` count what it took off the store, of both and of
    `checkpoints`; the file is no smaller until it is vacuumed.
    """

    deleted: tuple[str, ...]
    finished: tuple[str, ...]
    passed_over: tuple[PassedOver, ...]
    checkpoints: int
    rows: int
    freed_bytes: int
    tombstones: int
    objects: int = 0


@dataclass(slots=True)
class _Tally:
    """The work done so far."""

    deleted: list[str] = field(default_factory=list)
    finished: list[str] = field(default_factory=list)
    passed_over: list[PassedOver] = field(default_factory=list)
    checkpoints: int = 0
    rows: int = 0
    freed_bytes: int = 0
    tombstones: int = 0
    objects: int = 0


def collect(
    loader: Loader,
    observer: Observer,
    plan: RetentionPlan,
    *,
    reason: str = "",
    batch_rows: int,
    rest: Callable[[], None],
) -> Collected:
    """Do what `plan` says of jobs that are still as they were when it was made.

    The tombstones keep how the jobs ended, with `reason`. A commit deletes `batch_rows` rows, or 16
    MiB, at most; `rest` is called between two, for writers who wait. Safe beside executors, and
    beside other collectors, who share the work. Raises the store's errors; then the next collector
    finishes what was begun.
    """
    if batch_rows < 1:
        raise ValueError(f"batch_rows is {batch_rows}: use 1 or more")
    done = _Tally()
    for tombstone in plan.left:
        if _erase(loader, tombstone.number, tombstone.job_id, done, batch_rows, rest):
            done.finished.append(tombstone.job_id)
    for verdict in plan.verdicts:
        if verdict.goes and _bury(loader, observer, plan, verdict, reason, done):
            _erase(loader, verdict.number, verdict.job_id, done, batch_rows, rest)
        elif verdict.checkpoints:
            _thin(loader, observer, plan, verdict, done)
    _forget(loader, observer, plan, done, batch_rows, rest)
    return Collected(
        deleted=tuple(done.deleted),
        finished=tuple(done.finished),
        passed_over=tuple(done.passed_over),
        checkpoints=done.checkpoints,
        rows=done.rows,
        freed_bytes=done.freed_bytes,
        tombstones=done.tombstones,
        objects=done.objects,
    )


def _bury(
    loader: Loader,
    observer: Observer,
    plan: RetentionPlan,
    verdict: Verdict,
    reason: str,
    done: _Tally,
) -> bool:
    """The first act: the tombstone, in one commit; False if the job is to stay after all."""
    with loader.store.writing(verdict.job_id) as writer:
        job = writer.job(verdict.job_id)
        again = _again(loader, observer, writer, plan, verdict)
        if isinstance(again, str) or not again.goes or job is None:
            why = again if isinstance(again, str) else f"{again.why}"
            done.passed_over.append(PassedOver(verdict.job_id, why))
            return False
        told = f"{again.outcome}: {reason}" if reason else again.outcome
        writer.bury(job, observer.now_us(), told)
    done.deleted.append(verdict.job_id)
    _log.info("job %s deleted: %s, %s old", verdict.job_id, printable(told), again.age)
    return True


def _thin(
    loader: Loader, observer: Observer, plan: RetentionPlan, verdict: Verdict, done: _Tally
) -> None:
    """Take away checkpoints of a job that stays, in one commit."""
    with loader.store.writing(verdict.job_id) as writer:
        again = _again(loader, observer, writer, plan, verdict)
        if isinstance(again, str):
            done.passed_over.append(PassedOver(verdict.job_id, again))
            return
        going = {
            one.seq: one.size_bytes
            for one in writer.checkpoint_sizes(again.number)
            if one.seq in again.checkpoints
        }
        for seq in going:
            writer.remove_checkpoint(again.number, seq)
    done.checkpoints += len(going)
    done.rows += len(going)
    done.freed_bytes += sum(going.values())


def _again(
    loader: Loader, observer: Observer, writer: Writer, plan: RetentionPlan, verdict: Verdict
) -> Verdict | str:
    """The verdict now, under the write lock, or what happened to the job since it was looked at."""
    job = writer.job(verdict.job_id)
    if job is None or job.number != verdict.number:
        return "another collector took it"
    tip = writer.tip(job.number)
    if tip is None or tip.digest != verdict.digest:
        return "it has moved on since it was looked at"
    return judge(JobLog(loader, writer, job), tip, plan.policy, observer)


def _erase(
    loader: Loader,
    number: int,
    job_id: str,
    done: _Tally,
    batch_rows: int,
    rest: Callable[[], None],
) -> bool:
    """The second act: what a job that is buried kept beside its log, and its rows.

    The rows go in as many commits as it takes. False if they stay until what they point to can be
    taken away.
    """
    count, problem = clear_folders(loader, number, job_id)
    done.objects += count
    if problem:
        _log.warning("job %s: %s", job_id, printable(problem))
        done.passed_over.append(PassedOver(job_id, problem))
        return False
    for part in erased(loader.store, number, batch_rows, rest, job_id):
        done.rows += part.rows
        done.freed_bytes += part.size_bytes
    return True


def _forget(
    loader: Loader,
    observer: Observer,
    plan: RetentionPlan,
    done: _Tally,
    batch_rows: int,
    rest: Callable[[], None],
) -> None:
    """Drop the tombstones that are old enough."""
    if plan.policy.tombstones is None:
        return
    before_us = observer.now_us() - int(plan.policy.tombstones.total_seconds() * 1_000_000)
    dropped = batch_rows
    while dropped == batch_rows:
        rest()
        with loader.store.writing() as writer:
            dropped = writer.forget_tombstones(before_us, batch_rows)
        done.tombstones += dropped
