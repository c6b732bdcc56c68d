"""What is looked at after every step: a stored job is what the definition makes of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

from milepost.definition import Refused, Row
from milepost.job.state import JobState
from milepost.job.versions import Catalogue
from milepost.machine import Lifecycle, TransitionRefused
from milepost.state.manager import StateManager
from milepost.state.reading.loading import JobLog, Loader
from milepost.stores.protocol import StateStore
from milepost.testing.definition import Job

__all__ = ["agree", "check_plan", "check_results", "logged", "seen"]

_PARTS: Final = ["waiting", "held", "done", "failed", "dead", "skipped", "ended", "unassigned"]


def seen(state: JobState) -> Any:
    """A state as plain values: phase, context, variables and members, in order."""
    members = []
    for ordinal in range(state.items.count):
        name, context = state.items.member(ordinal)
        collection = state.collection_of(ordinal)
        members.append((state.inputs.key(ordinal), collection, name, dict(context)))
    return state.phase, dict(state.context), dict(state.variables), members


def expected(job: Job) -> Any:
    """A job of a definition as the same plain values."""
    members = [
        (key, member.collection, member.state, dict(member.context))
        for key, member in job.members.items()
    ]
    return job.state, dict(job.context), job.variables, members


def agree(state: JobState, job: Job) -> None:
    """The stored state is that of the definition, in all that is asked of it. AssertionError."""
    assert seen(state) == expected(job)
    parts = {name: list(getattr(state, name)) for name in _PARTS}
    assert sorted(o for part in parts.values() for o in part) == list(range(len(job.members)))
    done = [
        ordinal
        for ordinal, (key, member) in enumerate(job.members.items())
        if member.state in job.collection_of(key).done
    ]
    assert parts["done"] == done
    assert state.progress.total == len(job.members)
    assert state.finished == (job.state in job.definition.root.final)
    assert set(state.allowed()) == set(_enabled(job))


def _enabled(job: Job) -> Sequence[str]:
    """The events of the job that have a row now; those that read their payload may have one."""
    root, names = job.definition.root, job.names()
    found = []
    for event in root.events:
        rows = root.of_pair(job.state, event)
        if rows and not _reads_payload(rows):
            try:
                root.row(job.state, event, names)
            except Refused:
                continue
        if rows:
            found.append(event)
    return found


def _reads_payload(rows: Iterable[Row]) -> bool:
    said = [one for row in rows for one in (row.guard, *row.sets.values()) if one is not None]
    return any(name.startswith("event.") for one in said for name in one.reads)


def check_results(manager: StateManager, job_id: str, job: Job) -> None:
    """The results that are recorded are those that the members gave. AssertionError."""
    if any(collection.result for collection in job.definition.collections.values()):
        assert dict(manager.results(job_id)) == job.results()


def check_plan(manager: StateManager, job_id: str, state: JobState) -> None:
    """Every member is in exactly one part of the plan, which changes nothing. AssertionError."""
    try:
        plan = manager.recover_from_checkpoint(job_id)
    except TransitionRefused as refused:  # a guard of the job lets nobody take it up
        if not refused.guards:
            raise
        return
    ordinals = sorted(ordinal for part in plan.parts.values() for ordinal in part.ordinals)
    assert ordinals == list(range(state.items.count)), "a plan puts each member in one part"
    assert not plan.fallbacks, plan.fallbacks
    assert manager.get_state(job_id) == state, "a plan that was only made has changed something"


def logged(
    store: StateStore,
    job_id: str,
    lifecycles: Sequence[Lifecycle],
    earlier: Sequence[Lifecycle],
    read: Callable[[JobLog], object],
) -> None:
    """Have `read` look at the log of a job, by a reader that has nothing cached."""
    loader = Loader(store, Catalogue.of(lifecycles, earlier))
    with store.reading() as reader:
        read(loader.log(reader, job_id))
