"""Items that are done and are done again: the decision, and what it is refused for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final, NamedTuple

from pyroaring import BitMap

from milepost.errors import JobReplaced, RedoRefused, RoleAbsent
from milepost.items.ledger import bitmap
from milepost.job.state import JobState
from milepost.log.facts import Draft, ItemsFired, JobFired
from milepost.machine import Values
from milepost.roles import Redo
from milepost.state.limits import Limits
from milepost.state.reading.phases import phase_entered
from milepost.state.reading.results import ResultReader
from milepost.state.reading.spanned import spans_of
from milepost.state.recovering.scope import Scope, select_standing
from milepost.state.transitions import ItemEvent, Wanted, item_ordinal, prepare
from milepost.state.writing.decision import Decision, Moment
from milepost.state.writing.lease import Lease, check_lease

__all__ = ["Again", "again", "redo"]

_WHAT: Final = "what is done"
_NAMED: Final = 5


class Again(NamedTuple):
    """The items that are to be done again, as of `state`, and what their events carry.

    Of `members` that were `named` one by one each has to be done; of a scope those that are.
    """

    state: JobState
    members: BitMap
    named: bool
    payloads: Mapping[str, Wanted]


def again(
    items: Scope | Sequence[str | int], reason: str, results: ResultReader, limits: Limits
) -> Again:
    """The items in a scope that are done, or all that are named.

    Raises RoleAbsent where no item can be done again, ScopeInvalid, ItemAbsent.
    """
    state = results.state
    state.require("redo", "redo()")
    if isinstance(items, Scope):
        chosen, named = select_standing(items, state, results, _WHAT) & state.done, False
    else:
        chosen, named = bitmap(item_ordinal(state, item) for item in items), True
    payloads: dict[str, Wanted] = {}
    for name, ledger in state.ledgers.items():
        role = ledger.machine.roles.redo
        mine = chosen & ledger.universe
        if role is not None and mine:
            event = ItemEvent(mine[0], role.event, _payload(role, reason))
            payloads[name] = prepare(state, [event], limits)
    return Again(state, chosen, named, payloads)


def redo(wanted: Again, *, lease: Lease | None, operator: bool) -> Decision:
    """The decision by which what is `wanted` waits again, in a phase that works on it.

    From a later phase it leads back by the role `reopen`, in the same commit. Raises RedoRefused,
    naming items that are not done, and in a job that has ended with the way from there;
    TransitionRefused in another phase that takes none; JobReplaced if the items are another job's;
    RoleAbsent where their collection has no way; and as `check_lease` does.
    """

    def decision(moment: Moment) -> Iterator[Draft]:
        state = moment.state
        if moment.log.number != wanted.state.number:
            raise JobReplaced(job_id=state.id, url=moment.log.url, what="what was found done")
        event = next((one[0].request.event for one in wanted.payloads.values()), "")
        wants = (event, list(wanted.members))
        check_lease(moment, lease, operator=operator, wants=lambda: wants)
        members = wanted.members & state.done
        if wanted.named and members != wanted.members:
            raise _not_done(state, wanted.members - members)
        if members:
            _check_not_ended(moment, state)
            yield from _redone(state, members, wanted.payloads)

    return decision


def _redone(state: JobState, members: BitMap, payloads: Mapping[str, Wanted]) -> Iterator[Draft]:
    """The facts by which `members`, which are done, wait again. Raises RoleAbsent."""
    hit = {
        name: mine
        for name, ledger in state.ledgers.items()
        if (mine := members & ledger.members(*ledger.machine.roles.done))
    }
    for name in hit:
        machine = state.ledgers[name].machine
        if machine.roles.redo is None:
            raise RoleAbsent.at(state.lifecycle, machine, "redo", "redo()")
    events = {name: payloads[name][0] for name in hit}
    taken = all(one.request.event in state.accepted_of(name) for name, one in events.items())
    back = state.roles.reopen
    if not taken and back and back in state.allowed():
        yield Draft(fact=JobFired(back, {}))
    for name, mine in hit.items():
        one = events[name]
        ordinals = list(mine)
        readable = [one.readable] * len(ordinals) if one.readable else None
        bodies = [one.body] * len(ordinals) if one.body else None
        yield Draft(ItemsFired(one.request.event, ordinals, readable), bodies)


def _check_not_ended(moment: Moment, state: JobState) -> None:
    """Raise RedoRefused if nothing happens to the job any more."""
    if state.finished:
        log, stands = moment.log, moment.committed
        spans = spans_of(log.reader, log.entry)
        before = phase_entered(log, stands.seq, stands.rewinds, spans) - 1
        raise RedoRefused(job_id=state.id, phase=state.phase, before=before)


def _not_done(state: JobState, members: BitMap) -> RedoRefused:
    keys = tuple(
        (state.inputs.key(ordinal), state.items.member(ordinal)[0]) for ordinal in members[:_NAMED]
    )
    return RedoRefused(job_id=state.id, phase=state.phase, items=keys, count=len(members))


def _payload(role: Redo, reason: str) -> Values:
    return {role.reason: reason} if role.reason else {}
