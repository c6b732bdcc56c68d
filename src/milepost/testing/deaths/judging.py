"""What must hold of a store, whoever died at work with it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import TypeAlias

from milepost.errors import RoleAbsent
from milepost.job.state import JobState
from milepost.state.manager import StateManager
from milepost.stores.protocol import StateStore
from milepost.testing.deaths.ending import unended
from milepost.testing.histories.history import History, departures
from milepost.testing.histories.operations import Append

__all__ = [
    "Check",
    "Record",
    "again",
    "broken",
    "finished",
    "finished_in",
    "found_acknowledged",
    "found_finished",
    "let_go",
    "named",
    "objected",
    "said_by",
]

Check: TypeAlias = Callable[[StateManager], object]
"""Asserts what must hold, with a manager of the store."""


@dataclass
class Record:
    """What no death takes back: promises that were made, by job, and calls that broke one.

    `appends` are the commits that were asked for. `acknowledged` are the items and steps that a run
    said were done, by the id of the job; `again` are sentences. `called` are the names of the calls
    that must be of something that gets recorded, `known` those that were seen to be.
    """

    appends: list[Append] = field(default_factory=list)
    acknowledged: dict[str, set[str]] = field(default_factory=dict)
    again: list[str] = field(default_factory=list)
    called: set[str] = field(default_factory=set)
    known: set[str] = field(default_factory=set)

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


def finished(manager: StateManager) -> dict[str, str]:
    """The names that `found_finished` says are finished, with its words for each."""
    states = _states(manager)
    names = {name for state in states for name in finished_in(state)}
    return {name: found for name in names if (found := _finished_of(states, name))}


def found_finished(manager: StateManager, name: str) -> str:
    """Which item or step of that name is finished, in words; empty for none.

    Where several jobs have such a name, all of them have finished it: a call does not say for which
    of them it is.
    """
    return _finished_of(_states(manager), name)


def found_acknowledged(record: Record, manager: StateManager, name: str) -> str:
    """Which item or step of that name was said to be done, in words; empty for none.

    Where there are several jobs nobody knows of which of them a call is.
    """
    jobs = manager.job_ids()
    if len(jobs) != 1 or name not in record.acknowledged.get(jobs[0], ()):
        return ""
    return named(manager.get_state(jobs[0]), name)


def named(state: JobState, name: str) -> str:
    """The item or the step of that name, in words."""
    of_job = f"{name!r} of job {state.id}"
    return f"step {of_job}" if _ordinal(state, name) is None else f"item {of_job}"


def again(what: str, caller: str) -> str:
    """The sentence of a call for something finished, which `finished` gives the words of."""
    return f"{what} was finished, and {caller} called it again"


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
            yield unended(manager, state)
        if ended and not let_go(manager, job_id):
            yield f"job {job_id} is still held, by {state.owner}"
        missing = record.acknowledged.get(job_id, set()) - finished_in(state)
        for name in sorted(missing):
            yield f"{named(state, name)} was acknowledged, and is not recorded as done"
        if ended:
            (verified,) = manager.verify(job_id)
            yield from (f"job {job_id} is not sound: {p.message}" for p in verified.problems)
        record.known |= finished_in(state)
        record.known.update(name for name in record.called if _ordinal(state, name) is not None)
    if ended:
        yield from map(_of_nothing, sorted(record.called - record.known))
    yield from departures(record.history if history is None else history, store, whole=False)
    yield from record.again


def _of_nothing(name: str) -> str:
    return (
        f"the call named {name!r} is of no item, and of no step that was recorded, so nothing could"
        " tell that it was made again: name it by the key of its item, or PHASE/STEP as"
        " `steps.step` records it; `recorded=False` says that it is only to be counted"
    )


def _states(manager: StateManager) -> list[JobState]:
    return [manager.get_state(job_id) for job_id in manager.job_ids()]


def _finished_of(states: list[JobState], name: str) -> str:
    found = ""
    for state in states:
        ordinal = _ordinal(state, name)
        if name in state.variables if ordinal is None else ordinal in state.done:
            found = named(state, name)
        elif ordinal is not None or not state.finished:
            return ""
    return found


def _ordinal(state: JobState, name: str) -> int | None:
    try:
        return state.inputs.ordinal(name)
    except KeyError:
        return None


def let_go(manager: StateManager, job_id: str) -> bool:
    """True if nobody is named as the holder, or who is died between the end and giving it back.

    A run of a job that has ended writes nothing, so that such a name stays.
    """
    state = manager.get_state(job_id)
    if state.owner is None:
        return True
    *_, last = manager.get_state_history(job_id)
    return state.finished and last.target == state.phase and last.kind != "lease"


def said_by(check: Check | None, manager: StateManager, after: str) -> Iterator[str]:
    """What a check asserts and is not so. One that gives False does not hold either.

    What else it raises has a note that says what it came `after`.
    """
    if check is not None:
        try:
            if check(manager) is False:
                yield "the check gave False"
        except AssertionError as error:
            yield f"the check says: {error}" if str(error) else "the check does not hold"
        except Exception as error:
            error.add_note(f"this was the check, after {after}")
            raise


def objected(after: str, found: Iterable[str]) -> None:
    """Raise AssertionError if anything was `found`, which says what came before it.

    What looking raises itself, as a check does that asks for what is not there, stands behind what
    was found until then, which is why; where nothing was found, it is raised as it is.
    """
    sentences: list[str] = []
    raised: Exception | None = None
    try:
        for sentence in found:
            sentences.append(sentence)  # noqa: PERF402 what was found before is kept
    except Exception as error:
        if not sentences:
            raise
        raised = error
        sentences.append(f"{_who_raised(error)}: {type(error).__name__}: {error}")
    if sentences:
        said = "\n".join([f"after {after}:", *(f"- {each}" for each in sentences)])
        raise AssertionError(said) from raised


def _who_raised(error: Exception) -> str:
    of_check = any(
        note.startswith("this was the check") for note in getattr(error, "__notes__", ())
    )
    return "the check raised" if of_check else "looking further raised"
