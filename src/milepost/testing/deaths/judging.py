"""What must hold of a store, whoever died at work with it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import TypeAlias

from milepost.errors import RoleAbsent
from milepost.job.state import JobState
from milepost.state.manager import StateManager
from milepost.stores.protocol import StateStore
from milepost.testing.watching import LEASE, REJECTED

__all__ = ["Check", "Record", "broken", "finished", "finished_in", "let_go", "objected", "said_by"]

Check: TypeAlias = Callable[[StateManager], object]
"""Asserts what must hold, with a manager of the store."""


@dataclass
class Record:
    """What no death takes back: promises that were made, by job, and calls that broke one.

    `acknowledged` has the digest of each commit, by the number of its job and its seq, `about` what
    it was about, and `by` which life made it, from 1 on. `told` are the items and steps that a run
    said were done, by the id of the job; `again` are sentences.
    """

    acknowledged: dict[tuple[int, int], bytes] = field(default_factory=dict)
    about: dict[tuple[int, int], tuple[str, ...]] = field(default_factory=dict)
    by: dict[tuple[int, int], int] = field(default_factory=dict)
    told: dict[str, set[str]] = field(default_factory=dict)
    again: list[str] = field(default_factory=list)

    def acknowledge(
        self, job: int, seq: int, digest: bytes, points: tuple[str, ...], life: int
    ) -> None:
        """Note a commit: what a place in a log was acknowledged with first is what it must hold."""
        self.acknowledged.setdefault((job, seq), digest)
        self.about.setdefault((job, seq), points)
        self.by.setdefault((job, seq), life)


def finished_in(state: JobState) -> set[str]:
    """The keys of the items whose result is recorded, and the names of the steps that are."""
    steps = {name for name in state.variables if "/" in name}
    try:
        return steps | set(state.processed_items)
    except RoleAbsent:
        return steps


def finished(manager: StateManager) -> set[str]:
    """What is finished of all jobs."""
    return {name for job_id in manager.job_ids() for name in finished_in(manager.get_state(job_id))}


def broken(
    record: Record, manager: StateManager, store: StateStore, *, ended: bool
) -> Iterator[str]:
    """What does not hold of the jobs, which have `ended` if a life came to its end: sentences."""
    jobs = manager.job_ids()
    if ended and not jobs:
        yield "there is no job"
    for job_id in jobs:
        state = manager.get_state(job_id)
        if ended and not state.finished:
            yield f"job {job_id} has not ended: it is in phase {state.phase}"
        if ended and not let_go(manager, job_id):
            yield f"job {job_id} is still held, by {state.owner}"
        missing = record.told.get(job_id, set()) - finished_in(state)
        if missing:
            yield f"{', '.join(sorted(missing))} was told to be done, and is not, in job {job_id}"
        if ended:
            (verified,) = manager.verify(job_id)
            yield from (f"job {job_id} is not sound: {p.message}" for p in verified.problems)
    yield from _lost(record, store)
    yield from _replaced(record)
    yield from record.again


def _lost(record: Record, store: StateStore) -> Iterator[str]:
    with store.reading() as reader:
        kept = {
            (job.number, row.seq): row.digest
            for job in reader.entries()
            for row in reader.rows(job.number)
        }
    for (job, seq), digest in record.acknowledged.items():
        if kept.get((job, seq)) != digest:
            what = "another is in its place" if (job, seq) in kept else "it is not there"
            about = ", ".join(record.about[job, seq])
            yield f"commit {seq} ({about}) of job number {job} was acknowledged, and {what}"


def _replaced(record: Record) -> Iterator[str]:
    """Commits of lives that another had taken the job from: they leave a record of a refusal."""
    holder: dict[int, int] = {}
    for place in sorted(record.by):
        job, seq = place
        life, about = record.by[place], record.about[place]
        if LEASE in about:
            holder[job] = max(life, holder.get(job, 0))
        elif life < holder.get(job, 0) and about != (REJECTED,):
            yield (
                f"commit {seq} ({', '.join(about)}) of job number {job} is of life {life}, from"
                f" which life {holder[job]} had taken the job"
            )


def let_go(manager: StateManager, job_id: str) -> bool:
    """True if nobody is named as the holder, or who is died between the end and giving it back.

    A run of a job that has ended writes nothing, so that such a name stays.
    """
    state = manager.get_state(job_id)
    if state.owner is None:
        return True
    *_, last = manager.get_state_history(job_id)
    return state.finished and last.target == state.phase and last.kind != "lease"


def said_by(check: Check | None, manager: StateManager) -> Iterator[str]:
    """What a check asserts and is not so."""
    if check is not None:
        try:
            check(manager)
        except AssertionError as error:
            yield f"the check says: {error}" if str(error) else "the check does not hold"


def objected(after: str, found: Iterable[str]) -> None:
    """Raise AssertionError if anything was `found`, which says what came before it."""
    sentences = list(found)
    assert not sentences, "\n".join([f"after {after}:", *(f"- {each}" for each in sentences)])
