"""`milepost show`: one job on one screen."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, ClassVar

from milepost.inspect.allowed import (
    AllowedEvent,
    RefusedEvent,
    allowed,
    allowed_table,
    refusals,
    refused,
)
from milepost.inspect.checkpoint import CheckpointLine, checkpoint_line
from milepost.inspect.counts import Counts, counts
from milepost.inspect.failures import ItemFailure, failures_of
from milepost.inspect.page import Badge, Cell, Column, Fields, Page, Table
from milepost.inspect.words import ago, duration, stamp, told, value
from milepost.job.state import ITEMS, JOB, JobState
from milepost.state.manager import StateManager
from milepost.state.writing.lease import Holding
from milepost.state.writing.liveness import Standing

__all__ = ["Entered", "Holder", "ShowView", "show", "show_page"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Entered:
    """How a job came into its phase: by `event` of commit `seq`, and what came with it."""

    seq: int
    at: datetime
    event: str
    payload: Mapping[str, Any]  # Any: JSON


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """Who holds a job. `expired` says that it may be taken over without a reason.

    `expires_at` is by its wall clock, for people.
    """

    owner: str
    fence: int
    expires_at: datetime | None
    expired: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ShowView:
    """One job as of commit `seq`, looked at at `as_of`.

    `failures` are the newest of `failure_count` failed attempts, newest last. `orphaned` says
    that a holder was taken over and the job has not been recovered since. `item_events` are
    those that the phase accepts of the items. `rejected_count` counts the writes that were
    refused and kept for the record, `rewinds` are pairs: at which commit, back to which.
    `added_count` is how many of the items came after the job was created.
    """

    SCHEMA: ClassVar[str] = "milepost.show/1"

    job: str
    phase: str
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
    allowed: tuple[AllowedEvent, ...]
    refused: tuple[RefusedEvent, ...]
    item_events: tuple[str, ...]
    rejected_count: int
    rewinds: tuple[tuple[int, int], ...]
    added_count: int = 0


def show(manager: StateManager, job_id: str, *, now: datetime, failures: int = 5) -> ShowView:
    """Everything about one job on one screen, with its newest `failures`, as of `now`.

    Cost: the newest state, one pass over the tallies, and one over what failed. Raises JobAbsent.
    """
    state = manager.get_state(job_id)
    failed = failures_of(manager, state)
    held = None if state.owner is None else manager.holder(job_id)
    newest = sorted((f for of_item in failed.values() for f in of_item), key=lambda f: f.seq)
    return ShowView(
        job=state.id,
        phase=state.phase,
        phase_doc=state.machine.state_specs[state.phase].doc,
        finished=state.finished,
        as_of=now,
        entered=_entered(manager, state),
        created_at=state.created_at,
        updated_at=state.updated_at,
        seq=state.seq,
        fence=state.fence,
        progress=counts(state.progress),
        lease=_holder(held),
        standing=None if held is None else str(held.standing),
        lease_left_s=0.0 if held is None else held.left_s,
        orphaned=state.orphaned,
        context=dict(state.context),
        item_params=dict(state.items.params),
        variables=dict(state.variables),
        checkpoint=None if state.checkpoint is None else checkpoint_line(state.checkpoint),
        failures=tuple(newest[-failures:] if failures else ()),
        failure_count=len(newest),
        allowed=tuple(allowed(state)),
        refused=tuple(refused(state)),
        item_events=state.machine.collections[ITEMS].accepts.get(state.phase, ()),
        rejected_count=state.rejected_count,
        rewinds=state.rewinds,
        added_count=state.items.count - state.created.item_count,
    )


def show_page(view: ShowView) -> Page:
    """One screen about one job."""
    return (
        Fields(entries=tuple(_about(view))),
        Fields(title="context", entries=tuple(_values(view.context))),
        Fields(title="parameters of its items", entries=tuple(_values(view.item_params))),
        Fields(title="variables", entries=tuple(_values(view.variables))),
        Table(
            title=f"last failures ({len(view.failures)} of {view.failure_count})",
            columns=(
                Column("SEQ", numeric=True),
                Column("ITEM"),
                Column("CAUSE"),
                Column("MESSAGE"),
            ),
            rows=tuple((str(f.seq), f.key, f.cause, f.message) for f in view.failures),
        ),
        allowed_table(view.phase, view.allowed),
        *refusals(view.phase, view.refused),
    )


def _entered(manager: StateManager, state: JobState) -> Entered:
    seq = manager.phase_entered(state.id, state.seq)
    events = manager.get_state_history(state.id, after=seq - 1, upto=seq)
    changed = [event for event in events if event.source != event.target]
    event = (changed or events)[-1]
    return Entered(seq=seq, at=event.at, event=event.event, payload=dict(event.payload))


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
    progress = view.progress
    yield "job", view.job
    yield "phase", Badge(JOB, view.phase)
    yield "", view.phase_doc
    came = f"by {view.entered.event} at seq {view.entered.seq}"
    yield "since", f"{ago(view.entered.at, view.as_of)}, {came}"
    why = {k: v for k, v in view.entered.payload.items() if k in ("cause", "message", "reason")}
    if told(why):
        yield "", told(why)
    settled = f"{progress.done} done, {progress.dead} dead, {progress.skipped} skipped"
    yield "settled", f"{progress.settled} of {progress.total}: {settled}"
    left = f"{progress.pending} pending, {progress.running} running, {progress.failed} failed"
    yield "left", f"{progress.left}: {left}"
    if view.added_count:
        yield "added", f"{view.added_count} of them after it was created"
    yield "lease", _lease(view)
    yield "fence", str(view.fence)
    yield "checkpoint", _newest_checkpoint(view)
    yield "created", ago(view.created_at, view.as_of)
    yield "updated", f"{ago(view.updated_at, view.as_of)}, seq {view.seq}"
    if view.orphaned:
        yield "orphaned", "its holder was taken over and it has not been recovered since"
    if view.rejected_count:
        yield "rejected", f"{view.rejected_count} writes were refused and kept for the record"
    for at, to in view.rewinds:
        yield "rewound", f"at seq {at}, to as it was at seq {to}"
    yield "items take", ", ".join(view.item_events) or "no event in this phase"


def _newest_checkpoint(view: ShowView) -> str:
    if view.checkpoint is None:
        return "none"
    taken = f"{view.checkpoint.reason}, {stamp(view.checkpoint.taken_at)}"
    behind = view.seq - view.checkpoint.seq
    return f"at seq {view.checkpoint.seq} ({taken}), {behind} commits before the newest"


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
