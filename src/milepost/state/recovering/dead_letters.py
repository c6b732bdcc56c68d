"""The dead letter queue: the items that no attempt is left for, why, and their way back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pyroaring import BitMap

from milepost.errors import JobReplaced, ScopeInvalid
from milepost.job.state import JobState
from milepost.log.facts import Draft, ItemsFired
from milepost.state.reading.results import Failure, ResultReader
from milepost.state.recovering.scope import Scope, select
from milepost.state.writing.append import Decision, Moment
from milepost.state.writing.lease import Lease, check_lease
from milepost.text.wording import short_repr

__all__ = ["DeadLetter", "dead_in", "dead_letters", "requeue"]


@short_repr
@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetter:
    """An item in the dead letter queue, with every failed attempt at it, oldest first.

    `attempts` are those that count since it was last requeued, `crashes` the executors that died
    while it ran alone; `failures` are all that the log has, those deaths among them.
    """

    ordinal: int
    key: str
    value: Any  # Any: JSON
    attempts: int
    crashes: int
    failures: tuple[Failure, ...]


def dead_in(scope: Scope, state: JobState, results: ResultReader) -> BitMap:
    """The ordinals of the dead letters in `scope`. Raises ScopeInvalid, ItemAbsent."""
    if scope.rewinds or scope.seq is not None:
        raise ScopeInvalid(problem="the dead letter queue is that of the job as it stands")
    return select(scope, state, results.causes) & state.items.members("dead")


def dead_letters(
    state: JobState, members: BitMap, failures: Mapping[int, Sequence[Failure]]
) -> Iterator[DeadLetter]:
    """The dead letters `members` in item order, with what `failures` has of each by ordinal.

    Memory: one block of inputs.
    """
    for ordinal in members:
        _, context = state.items.member(ordinal)
        yield DeadLetter(
            ordinal=ordinal,
            key=state.inputs.key(ordinal),
            value=state.inputs.value(ordinal),
            attempts=context["attempts"],
            crashes=context.get("crashes", 0),
            failures=tuple(failures.get(ordinal, ())),
        )


def requeue(state: JobState, members: BitMap, *, lease: Lease | None, operator: bool) -> Decision:
    """The decision that gives those of `members` that are still dead all their attempts again.

    They are of `state`, of any age. Raises TransitionRefused in a phase that takes no item back,
    JobReplaced if it is another job's, and as `check_lease` does.
    """

    def decision(moment: Moment) -> Iterator[Draft]:
        if moment.job.number != state.number:
            raise JobReplaced(job_id=state.id, url=moment.url, what="what was found dead")
        check_lease(moment, lease, operator=operator, wants=lambda: ("requeue", list(members)))
        hit = members & moment.state.items.members("dead")
        if hit:
            yield Draft(fact=ItemsFired("requeue", list(hit)))

    return decision
