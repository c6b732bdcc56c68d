"""The dead letter queue: the items that no attempt is left for, why, and their way back."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from pyroaring import BitMap

from milepost.errors import JobReplaced, RoleAbsent
from milepost.items.ledger import Ledger, bitmap
from milepost.job.state import JobState
from milepost.log.facts import Draft, ItemsFired
from milepost.state.reading.failures import Failure
from milepost.state.reading.results import ResultReader
from milepost.state.recovering.scope import Scope, select_standing
from milepost.state.writing.decision import Decision, Moment
from milepost.state.writing.lease import Lease, check_lease
from milepost.text.wording import short_repr

__all__ = ["DeadLetter", "dead_in", "dead_letters", "failures_of", "requeue"]

_WHAT: Final = "the dead letter queue"


@short_repr
@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class DeadLetter:
    """An item in the dead letter queue, with every failed attempt at it, oldest first.

    `attempts` are those that count since it was last requeued, `crashes` the executors that died
    while it ran alone; `failures` are all that the log has, those deaths among them. Of an item
    that is on record with none of them, they are the executors that died while they had it.
    """

    ordinal: int
    key: str
    value: Any  # Any: JSON
    attempts: int
    crashes: int
    failures: tuple[Failure, ...]


def dead_in(scope: Scope, state: JobState, results: ResultReader) -> BitMap:
    """The ordinals of the dead letters in `scope`. Raises ScopeInvalid, ItemAbsent.

    Raises RoleAbsent where the lifecycle has none.
    """
    chosen = select_standing(scope, state, results, _WHAT)
    state.require("dead", _WHAT)
    return chosen & state.dead


def failures_of(failed: Iterable[tuple[int, Failure, bool]]) -> dict[int, list[Failure]]:
    """What dead letters died of, by ordinal, oldest first, of what `ResultReader.failed` gave.

    Of one that is on record with no failure and no blame, the executors that died while they had
    it: nothing else tells why it is there.
    """
    found: dict[int, list[Failure]] = {}
    beside: dict[int, list[Failure]] = {}
    for ordinal, failure, blamed in failed:
        (found if blamed else beside).setdefault(ordinal, []).append(failure)
    return beside | found


def dead_letters(
    state: JobState, members: BitMap, failures: Mapping[int, Sequence[Failure]]
) -> Iterator[DeadLetter]:
    """The dead letters `members` in item order, with what `failures` has of each by ordinal.

    Memory: one block of inputs.
    """
    for ordinal in members:
        _, context = state.items.member(ordinal)
        roles = state.roles_of(ordinal)
        yield DeadLetter(
            ordinal=ordinal,
            key=state.inputs.key(ordinal),
            value=state.inputs.value(ordinal),
            attempts=context.get(roles.attempts, 0),
            crashes=context.get(roles.crashes, 0),
            failures=tuple(failures.get(ordinal, ())),
        )


def requeue(wanted: JobState, members: BitMap, *, lease: Lease | None, operator: bool) -> Decision:
    """The decision that gives those of `members` that are still dead all their attempts again.

    They are of `wanted`, of any age. Raises TransitionRefused in a phase that takes no item back,
    JobReplaced if it is another job's, RoleAbsent where the lifecycle has no way back, and as
    `check_lease` does.
    """

    def decision(moment: Moment) -> Iterator[Draft]:
        if moment.log.number != wanted.number:
            raise JobReplaced(job_id=wanted.id, url=moment.log.url, what="what was found dead")
        state = moment.state
        events = {name: one.machine.roles.requeue for name, one in state.ledgers.items()}
        named = next(filter(None, events.values()), "")
        check_lease(moment, lease, operator=operator, wants=lambda: (named, list(members)))
        yield from _requeued(state, members, events)

    return decision


def _requeued(state: JobState, members: BitMap, events: Mapping[str, str]) -> list[Draft]:
    """The facts that take back those of `members` that are dead and have a way back.

    Raises RoleAbsent or TransitionRefused if there are dead ones, and none has.
    """
    drafts: list[Draft] = []
    refused: list[tuple[Ledger, str, BitMap]] = []
    for name, ledger in state.ledgers.items():
        event = events[name]
        hit = members & ledger.members(*ledger.machine.roles.dead)
        able = hit & state.takers(event) if event else bitmap()
        if able:
            drafts.append(Draft(fact=ItemsFired(event, list(able))))
        elif hit:
            refused.append((ledger, event, hit))
    if refused and not drafts:
        ledger, event, hit = refused[0]
        if not event:
            raise RoleAbsent.at(state.lifecycle, ledger.machine, "requeue", "requeue()")
        drafts.append(Draft(fact=ItemsFired(event, list(hit))))  # which says why it is refused
    return drafts
