"""Items in flight when an executor stopped: handed back, or suspects if it died.

One of the items that were in flight at a death may have caused it. They are suspects: they begin
one at a time, alone, so that the next death names the one. An item that executors die of is so
told apart from one that fails, and from those that were only beside it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pyroaring import BitMap

from milepost.items.ledger import Ledger
from milepost.job.fold import apply
from milepost.job.state import JobState
from milepost.log.facts import Draft, ItemsFired, JobFired
from milepost.roles import Recovery, Roles

__all__ = ["death_message", "let_go", "lets_go_by"]


def death_message(state: JobState, ordinal: int, why: str = "") -> str:
    """The message of an executor's death for an item that it had: none, unless it is a suspect.

    `why` is what whoever saw it die says of that, if anybody did.
    """
    roles = state.roles_of(ordinal)
    _, context = state.items.member(ordinal)
    if not roles.suspect or not context[roles.suspect]:
        return ""
    message = "its executor died while it ran alone"
    if roles.crashes:
        most = f" of {context[roles.max_crashes]}" if roles.max_crashes else ""
        message = f"{message}: {context[roles.crashes] + 1}{most} times"
    return f"{message} ({why})" if why else message


def lets_go_by(state: JobState, *, lost: bool) -> Mapping[str, str]:
    """By collection, the event by which its items in flight leave the hands that they are in.

    `lost` says that whoever had them died. A collection whose lifecycle has no such event is left
    out: its items stay where they are.
    """
    tells = _tells_of(state)
    found = {
        name: _lets_go(ledger.machine.roles, lost=lost or not tells)
        for name, ledger in state.ledgers.items()
    }
    return {name: event for name, event in found.items() if event}


def let_go(state: JobState, members: BitMap, reason: str, *, lost: bool) -> list[Draft]:
    """The facts that take those of `members` that are in flight out of the hands they are in.

    `reason` goes with the event of the job by which another executor takes over, which takes all
    that are in flight at once; where some of them are not among `members` it does not come to
    that. What it leaves in flight, and all where the lifecycle has no such event, leaves it item
    by item.
    """
    lost = lost or not _tells_of(state)
    drafts: list[Draft] = []
    held = state.held
    takes_over = not held - members and (state.orphaned or bool(held))
    if lost:
        for ledger in state.ledgers.values():
            drafts += _deaths(state, ledger, members)
        for draft in drafts:
            state = apply(state, draft.fact)
    recover = state.roles.recover
    if recover is not None and takes_over and recover.event in state.allowed():
        fired = JobFired(recover.event, {recover.lost: lost} if recover.lost else {})
        drafts.append(Draft(fact=fired, body=_body(recover, reason)))
        state = apply(state, fired)
    for name, event in lets_go_by(state, lost=lost).items():
        ledger = state.ledgers[name]
        hit = ledger.members(*ledger.machine.roles.held) & members & state.takers(event)
        if hit:
            drafts.append(Draft(fact=ItemsFired(event, list(hit))))
    return drafts


def _body(recover: Recovery, reason: str) -> dict[str, Any] | None:
    """The body of the event by which another executor takes over."""
    return {recover.reason: reason} if recover.reason and reason else None


def _deaths(state: JobState, ledger: Ledger, members: BitMap) -> list[Draft]:
    """The crashes to record for the suspects among `members` that were in flight."""
    roles = ledger.machine.roles
    if roles.crash is None or not roles.suspect:
        return []
    event, field = roles.crash
    told = ledger.members(*roles.held) & members & ledger.marked(roles.suspect)
    if told:  # of some states, guards or phases it may not be taken: then it is lost, as others are
        told &= state.takers(event)
    if not told:
        return []
    messages = [{field: death_message(state, ordinal)} for ordinal in told] if field else None
    return [Draft(fact=ItemsFired(event, list(told)), body=messages)]


def _lets_go(roles: Roles, *, lost: bool) -> str:
    return (roles.lost or roles.release) if lost else (roles.release or roles.lost)


def _tells_of(state: JobState) -> bool:
    """True if the job's lifecycle tells deaths from other ends."""
    recover = state.roles.recover
    return recover is None or bool(recover.lost)
