"""`milepost show`: one job on one screen."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any, ClassVar, Final

from msgspec import UNSET, Struct, UnsetType

from milepost.inspect.advice import NextStep, next_steps
from milepost.inspect.allowed import (
    AllowedEvent,
    RefusedEvent,
    allowed,
    allowed_table,
    refusals,
    refused,
)
from milepost.inspect.checkpoint import CheckpointLine, checkpoint_line
from milepost.inspect.counts import Counts, counts_in, counts_of
from milepost.inspect.failures import (
    GroupLine,
    ItemFailure,
    can_fail,
    failure_view,
    failures_table,
    group_line,
    groups_table,
)
from milepost.inspect.page import Cell, Fields, Page
from milepost.inspect.standing import NO_EVENT, dead_line, far, newest_checkpoint, next_table
from milepost.inspect.states import StateName, phase_of
from milepost.inspect.words import ago, duration, stamp, told, value
from milepost.items.ledger import Ledger
from milepost.job.dead_limit import dead_allowed
from milepost.job.state import JobState
from milepost.state.manager import StateManager
from milepost.state.reading.failures import FailureSummary
from milepost.state.writing.lease import Holding
from milepost.state.writing.liveness import Standing
from milepost.text.wording import bounded

__all__ = ["CollectionPart", "Entered", "Holder", "ShowView", "show", "show_page"]

_GROUPS: Final = 10
_NO_FAILURES: Final = FailureSummary(groups=(), newest=(), count=0)


class Entered(Struct, frozen=True, kw_only=True):
    """How a job came into its phase: by `event` of commit `seq`, and what came with it."""

    seq: int
    at: datetime
    event: str
    payload: Mapping[str, Any]  # Any: JSON


class Holder(Struct, frozen=True, kw_only=True):
    """Who holds a job. `expired` says that it may be taken over without a reason.

    `expires_at` is by its wall clock, for people.
    """

    owner: str
    fence: int
    expires_at: datetime | None
    expired: bool


class CollectionPart(Struct, frozen=True, kw_only=True):
    """The items of one of several collections: where they are, and what the phase lets them do."""

    progress: Counts
    item_events: tuple[str, ...]


class ShowView(Struct, frozen=True, kw_only=True):
    """One job as of commit `seq`, looked at at `as_of`.

    `failures` are the newest of `failure_count` failed attempts, newest last; `failure_groups` the
    largest of `failure_group_count`, with deaths of executors. `dead_allowed` is how many dead
    letters the job may complete with, null for any number. `orphaned` says
    that a holder was taken over and the job has not been recovered since. `item_events` are
    those that the phase accepts of the items. `rejected_count` counts the writes that were
    refused and kept for the record, `rewinds` are pairs: at which commit, back to which.
    `added_count` is how many of the items came after the job was created.

    A job without a collection has no `item_events` and no `item_params`; one with several has the
    parameters by collection, and `collections`.
    """

    SCHEMA: ClassVar[str] = "milepost.show/1"

    job: str
    phase: StateName
    phase_doc: str
    finished: bool
    as_of: datetime
    entered: Entered
    created_at: datetime
    updated_at: datetime
    seq: int
    fence: int
    progress: Counts
    lease: Holder | None
    standing: str | None
    lease_left_s: float
    orphaned: bool
    context: Mapping[str, Any]  # Any: typed by the lifecycle
    item_params: Mapping[str, Any]  # Any: typed by the lifecycle
    variables: Mapping[str, Any]  # Any: JSON
    checkpoint: CheckpointLine | None
    failures: tuple[ItemFailure, ...]
    failure_count: int
    failure_groups: tuple[GroupLine, ...]
    failure_group_count: int
    dead_allowed: int | None
    next_steps: tuple[NextStep, ...]
    allowed: tuple[AllowedEvent, ...]
    refused: tuple[RefusedEvent, ...]
    rejected_count: int
    rewinds: tuple[tuple[int, int], ...]
    item_events: tuple[str, ...] | UnsetType = UNSET
    added_count: int | UnsetType = UNSET
    collections: Mapping[str, CollectionPart] | UnsetType = UNSET


def show(manager: StateManager, job_id: str, *, now: datetime, failures: int = 5) -> ShowView:
    """Everything about one job on one screen, with its newest `failures`, as of `now`.

    Cost: the newest state, one pass over what failed, and as `StateManager.phase_entered`.
    Raises JobAbsent.
    """
    state = manager.get_state(job_id)
    ledgers = state.ledgers
    failed = _NO_FAILURES
    if can_fail(state):
        failed = manager.failure_summary(job_id, newest=failures, upto=state.seq, undecoded=True)
    most_dead = dead_allowed(state)
    held = None if state.owner is None else manager.holder(job_id)
    return ShowView(
        job=state.id,
        phase=phase_of(state),
        phase_doc=state.machine.state_specs[state.phase].doc,
        finished=state.finished,
        as_of=now,
        entered=_entered(manager, state),
        created_at=state.created_at,
        updated_at=state.updated_at,
        seq=state.seq,
        fence=state.fence,
        progress=counts_of(state),
        lease=_holder(held),
        standing=None if held is None else str(held.standing),
        lease_left_s=0.0 if held is None else held.left_s,
        orphaned=state.orphaned,
        context=dict(state.context),
        item_params=_item_params(ledgers),
        variables=dict(state.variables),
        checkpoint=None if state.checkpoint is None else checkpoint_line(state.checkpoint),
        failures=tuple(failure_view(one.key, one.failure) for one in failed.newest),
        failure_count=failed.count,
        failure_groups=tuple(map(group_line, failed.groups[:_GROUPS])),
        failure_group_count=len(failed.groups),
        dead_allowed=most_dead,
        next_steps=tuple(next_steps(state, most_dead)),
        allowed=tuple(allowed(state)),
        refused=tuple(refused(state)),
        item_events=state.accepted if ledgers else UNSET,
        rejected_count=state.rejected_count,
        rewinds=state.rewinds,
        added_count=state.items.count - state.created.item_count if len(ledgers) == 1 else UNSET,
        collections=_collections(state) if len(ledgers) > 1 else UNSET,
    )


def show_page(view: ShowView) -> Page:
    """One screen about one job."""
    return (
        Fields(entries=tuple(_about(view))),
        Fields(title="context", entries=tuple(_values(view.context))),
        Fields(title="parameters of its items", entries=tuple(_values(view.item_params))),
        Fields(title="variables", entries=tuple(_values(view.variables))),
        groups_table(view.failure_groups, _title(view)),
        failures_table(
            view.failures, f"last failures ({len(view.failures)} of {view.failure_count})"
        ),
        next_table(view.next_steps),
        allowed_table(view.phase, view.allowed),
        *refusals(view.phase, view.refused),
    )


def _title(view: ShowView) -> str:
    shown, count = len(view.failure_groups), view.failure_group_count
    return "what failed" if shown == count else f"what failed ({shown} of {count} kinds)"


def _entered(manager: StateManager, state: JobState) -> Entered:
    seq = manager.phase_entered(state.id, state.seq)
    events = manager.get_state_history(state.id, after=seq - 1, upto=seq)
    changed = [event for event in events if event.source != event.target]
    event = changed[-1] if changed else events[0]
    return Entered(seq=seq, at=event.at, event=event.event, payload=dict(event.payload))


def _item_params(ledgers: Mapping[str, Ledger]) -> Mapping[str, Any]:
    """The parameters of the items: of several collections by collection."""
    params = {name: dict(ledger.params) for name, ledger in ledgers.items()}
    return next(iter(params.values())) if len(params) == 1 else params


def _collections(state: JobState) -> Mapping[str, CollectionPart]:
    return {
        name: CollectionPart(progress=counts_in(ledger), item_events=state.accepted_of(name))
        for name, ledger in state.ledgers.items()
    }


def _holder(held: Holding | None) -> Holder | None:
    if held is None:
        return None
    return Holder(
        owner=held.owner,
        fence=held.fence,
        expires_at=held.expires_at,
        expired=held.standing in (Standing.LAPSED, Standing.GONE),
    )


def _about(view: ShowView) -> Iterator[tuple[str, Cell]]:
    yield "job", view.job
    yield "phase", view.phase
    if view.phase_doc:
        yield "", view.phase_doc
    came = f"by {view.entered.event} at seq {view.entered.seq}"
    yield "since", f"{ago(view.entered.at, view.as_of)}, {came}"
    if view.entered.seq > 1 and told(view.entered.payload):
        yield "", bounded(told(view.entered.payload))
    if view.item_events is not UNSET:
        yield from far("", view.progress)
    for name, part in (view.collections or {}).items():
        yield from far(f"{name} ", part.progress)
    if view.added_count:
        yield "added", f"{view.added_count} of them after it was created"
    if view.progress.dead:
        yield "dead", dead_line(view.progress, view.dead_allowed)
    yield "lease", _lease(view)
    yield "fence", str(view.fence)
    yield "checkpoint", newest_checkpoint(view.checkpoint, view.seq)
    yield "created", ago(view.created_at, view.as_of)
    yield "updated", f"{ago(view.updated_at, view.as_of)}, seq {view.seq}"
    if view.orphaned:
        yield "orphaned", "its holder was taken over and it has not been recovered since"
    if view.rejected_count:
        yield "rejected", f"{view.rejected_count} writes were refused and kept for the record"
    for at, to in view.rewinds:
        yield "rewound", f"at seq {at}, to as it was at seq {to}"
    if view.collections:
        for name, part in view.collections.items():
            yield f"{name} take", ", ".join(part.item_events) or NO_EVENT
    elif view.item_events is not UNSET:
        yield "items take", ", ".join(view.item_events) or NO_EVENT


def _lease(view: ShowView) -> str:
    if view.lease is None:
        return "nobody holds it"
    owner, left = view.lease.owner, duration(view.lease_left_s)
    match view.standing:
        case Standing.ALIVE:
            until = view.as_of + timedelta(seconds=view.lease_left_s)
            return f"{owner}, until {stamp(until)} (in {left})"
        case Standing.WATCHED:
            return f"{owner}, whose clock cannot be compared: it lapses if watched for {left}"
        case Standing.GONE:
            return f"{owner}, whose process is gone: another may take over"
        case _:
            when = stamp(min(view.lease.expires_at or view.as_of, view.as_of))
            return f"{owner}, expired {when}: another may take over"


def _values(values: Mapping[str, Any]) -> Iterator[tuple[str, Cell]]:
    for name, given in values.items():
        yield f"  {name}", value(given)
