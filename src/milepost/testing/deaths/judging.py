"""What must hold of a store, whoever died at work with it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import TypeAlias

from milepost.errors import RoleAbsent
from milepost.job.state import JobState
from milepost.state.manager import StateManager
from milepost.stores.protocol import StateStore
from milepost.testing.histories.history import History, departures
from milepost.testing.histories.operations import Append

__all__ = ["Check", "Record", "broken", "finished", "finished_in", "let_go", "objected", "said_by"]

Check: TypeAlias = Callable[[StateManager], object]
"""Asserts what must hold, with a manager of the store."""


@dataclass
class Record:
    """What no death takes back: promises that were made, by job, and calls that broke one.

    `appends` are the commits that were asked for. `acknowledged` are the items and steps that a run
    said were done, by the id of the job; `again` are sentences.
    """

    appends: list[Append] = field(default_factory=list)
    acknowledged: dict[str, set[str]] = field(default_factory=dict)
    again: list[str] = field(default_factory=list)

    @property
    def history(self) -> History:
        """What was asked for, as a history."""
        return History(tuple(self.appends), ())


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
    record: Record,
    manager: StateManager,
    store: StateStore,
    *,
    ended: bool,
    history: History | None = None,
) -> Iterator[str]:
    """What does not hold of the jobs, which have `ended` if a life came to its end: sentences.

    The `history` is that of the record, unless there is another.
    """
    jobs = manager.job_ids()
    if ended and not jobs:
        yield "there is no job"
    for job_id in jobs:
        state = manager.get_state(job_id)
        if ended and not state.finished:
            yield f"job {job_id} has not ended: it is in phase {state.phase}"
        if ended and not let_go(manager, job_id):
            yield f"job {job_id} is still held, by {state.owner}"
        missing = record.acknowledged.get(job_id, set()) - finished_in(state)
        if missing:
            yield f"{', '.join(sorted(missing))} was acknowledged and is not done, in job {job_id}"
        if ended:
            (verified,) = manager.verify(job_id)
            yield from (f"job {job_id} is not sound: {p.message}" for p in verified.problems)
    yield from departures(record.history if history is None else history, store, whole=False)
    yield from record.again


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
