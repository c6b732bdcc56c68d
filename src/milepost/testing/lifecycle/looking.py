"""What is looked at after every step: a stored job is what the definition makes of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import zip_longest
from typing import Any, Final

from milepost.definition import Refused, Row
from milepost.job.state import JobState
from milepost.job.versions import Catalogue
from milepost.machine import Lifecycle, TransitionRefused
from milepost.state.manager import StateManager
from milepost.state.reading.loading import JobLog, Loader
from milepost.stores.protocol import StateStore
from milepost.testing.definition import Job
from milepost.testing.lifecycle.telling import differing

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
    for what, module, definition in _differences(state, job):
        raise AssertionError(differing(f"{what}:", module, definition, job))
    parts = {name: list(getattr(state, name)) for name in _PARTS}
    assert sorted(o for part in parts.values() for o in part) == list(range(len(job.members)))
    done = [
        ordinal
        for ordinal, (key, member) in enumerate(job.members.items())
        if member.state in job.collection_of(key).done
    ]
    assert parts["done"] == done
    assert state.progress.total == len(job.members)


def _differences(state: JobState, job: Job) -> Iterator[tuple[str, str, str]]:
    """What the two say differently: of what, what the state has, and what the definition gives."""
    (phase, context, variables, members), (at, values, mine, due) = seen(state), expected(job)
    if phase != at:
        yield "the phase of the job is not as the definition says", repr(phase), repr(at)
    both = (("context of the job", context, values), ("variables of the job", variables, mine))
    for what, found, wanted in both:
        for name in [*found, *(wanted.keys() - found.keys())]:
            if found.get(name, ...) != wanted.get(name, ...):
                first = f"{name!r} in the {what} is not as the definition says"
                yield first, _value(found, name), _value(wanted, name)
    for one, other in zip_longest(members, due):
        if one != other:
            yield "a member is not as the definition says", _member(one), _member(other)
    ends, end = state.finished, job.state in job.definition.root.final
    if ends != end:
        yield "whether the job has ended is not as the definition says", str(ends), str(end)
    allowed, enabled = state.allowed(), _enabled(job)
    if set(allowed) != set(enabled):
        first = "the events of the job that have a row now are not as the definition says"
        yield first, _events(allowed, enabled), _events(enabled, allowed)


def _value(values: Mapping[str, Any], name: str) -> str:
    return repr(values[name]) if name in values else "there is none"


def _member(told: tuple[str, str, str, dict[str, Any]] | None) -> str:
    if told is None:
        return "there is none"
    key, collection, state, context = told
    return f"{key} of {collection} is in {state!r} with {context}"


def _events(these: Sequence[str], others: Sequence[str]) -> str:
    alone = [one for one in these if one not in others]
    told = ", ".join(sorted(these)) or "none"
    return f"{told} (here alone: {', '.join(sorted(alone))})" if alone else told


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
        found, due = dict(manager.results(job_id)), job.results()
        if found != due:
            first = "the results of the members are not as the definition says:"
            raise AssertionError(differing(first, repr(found), repr(due), job))


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
