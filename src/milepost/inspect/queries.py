"""The questions of the read model: a StateManager's answers as views. Nothing is written."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from fnmatch import fnmatchcase
from itertools import islice, pairwise
from typing import Final

from milepost.errors import StateError, StoreUnreadable
from milepost.inputs import KeySet
from milepost.inspect.views import (
    AllowedEvent,
    CheckpointView,
    Entered,
    Guarding,
    HistoryLine,
    HistoryView,
    Holder,
    ItemFailure,
    ItemLine,
    ItemsView,
    JobsView,
    PathView,
    PlanPart,
    PlanView,
    QuarantineView,
    RefusedEvent,
    RepairView,
    ShowView,
    VerifiedJob,
    VerifyView,
)
from milepost.job import ITEMS, JOB, JobState
from milepost.state.history import StateEvent
from milepost.state.lease import Holding
from milepost.state.liveness import Standing
from milepost.state.manager import StateManager
from milepost.state.recovery import REASONS, RecoveryPlan
from milepost.state.results import Failure
from milepost.state.verification import Problem

__all__ = [
    "checkpoints",
    "failure_view",
    "history",
    "items",
    "jobs",
    "path",
    "plan_part",
    "plan_view",
    "quarantine",
    "repair",
    "show",
    "verify",
]

_KEYS_NAMED: Final = 3


def jobs(
    manager: StateManager, *, phase: str | None = None, prefix: str = "", limit: int | None = None
) -> JobsView:
    """The newest `limit` jobs, those in `phase` whose id begins with `prefix`."""
    unreadable: list[StateError] = []
    found = manager.list_jobs(phase=phase, prefix=prefix, on_error=unreadable.append)
    return JobsView(
        jobs=tuple(found[:limit]), total=len(found), unreadable=tuple(map(str, unreadable))
    )


def show(manager: StateManager, job_id: str, *, now: datetime, failures: int = 5) -> ShowView:
    """Everything about one job on one screen, with its newest `failures`, as of `now`.

    Cost: the newest state, one pass over the tallies, and one over what failed. Raises JobAbsent.
    """
    state = manager.get_state(job_id)
    failed = _failures(manager, state)
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
        progress=state.progress,
        lease=_holder(held),
        standing=None if held is None else held.standing,
        lease_left_s=0.0 if held is None else held.left_s,
        orphaned=state.orphaned,
        context=dict(state.context),
        item_params=dict(state.items.params),
        variables=dict(state.variables),
        checkpoint=state.checkpoint,
        failures=tuple(newest[-failures:] if failures else ()),
        failure_count=len(newest),
        allowed=tuple(_allowed(state)),
        refused=tuple(_refused(state)),
        item_events=state.machine.collections[ITEMS].accepts.get(state.phase, ()),
        rejected_count=state.rejected_count,
        rewinds=state.rewinds,
        added_count=state.items.count - state.created.item_count,
    )


def history(
    manager: StateManager,
    job_id: str,
    *,
    after: int = 0,
    upto: int | None = None,
    limit: int | None = None,
) -> HistoryView:
    """The newest `limit` events of the commits with `after < seq <= upto`, oldest first.

    Cost: the log from the nearest checkpoint before them is folded. Raises JobAbsent.
    """
    seq = manager.get_state(job_id).seq
    last = seq if upto is None else min(upto, seq)
    # A commit holds an event at least. One more is read, for the time since the event before.
    first = after if limit is None else max(after, last - limit)
    context = max(first - 1, 0)
    events = manager.get_state_history(job_id, after=context, upto=last) if last > first else []
    lines = [_line(None, events[0])] if events else []
    lines += [_line(before, event) for before, event in pairwise(events)]
    wanted = [line for line in lines if line.seq > first]
    shown = wanted if limit is None else wanted[max(len(wanted) - limit, 0) :]
    cut = first > after or len(shown) < len(wanted)
    return HistoryView(job=job_id, seq=seq, cut=cut, events=tuple(shown))


def items(
    manager: StateManager,
    job_id: str,
    *,
    states: Sequence[str] = (),
    key: str | None = None,
    limit: int | None = None,
) -> ItemsView:
    """The first `limit` items in any of `states` (all, if none is given) whose key fits the glob.

    Cost: the keys are read; what failed is read once. Raises JobAbsent.
    """
    state = manager.get_state(job_id)
    members = state.items.members(*(states or state.items.machine.states))
    ordinals: Iterable[int] = members
    matched = len(members)
    if key is not None:
        fitting = [o for o in members if fnmatchcase(state.inputs.key(o), key)]
        ordinals, matched = fitting, len(fitting)
    failed = _failures(manager, state) if matched else {}
    return ItemsView(
        job=state.id,
        seq=state.seq,
        total=state.items.count,
        matched=matched,
        max_attempts=state.items.params["max_attempts"],
        max_crashes=state.items.params.get("max_crashes", 0),
        items=tuple(_item(state, ordinal, failed) for ordinal in islice(ordinals, limit)),
    )


def checkpoints(manager: StateManager, job_id: str, *, taken: int | None = None) -> CheckpointView:
    """The checkpoints of the job, newest first; `taken` is the seq of one just taken."""
    return CheckpointView(
        job=job_id, taken=taken, checkpoints=tuple(manager.list_checkpoints(job_id))
    )


def plan_view(plan: RecoveryPlan, *, keys: int) -> PlanView:
    """`plan` with the first `keys` item keys of each part."""
    return PlanView(
        job=plan.job_id,
        seq=plan.seq,
        fence=plan.fence,
        scope=str(plan.scope),
        phase=plan.phase,
        resume_phase=plan.resume_phase,
        events=plan.events,
        item_events=dict(plan.item_events),
        rewinds_to=plan.rewinds_to,
        changes_nothing=plan.changes_nothing,
        to_work_on=len(plan.to_do),
        parts=tuple(
            plan_part(name, REASONS[name], part, keys) for name, part in plan.parts.items()
        ),
        undone=plan_part("undone", "its result is undone", plan.undone, keys),
        undone_variables=plan.undone_variables,
        undoes_result=plan.undoes_result,
        variables=dict(plan.variables),
        results_available=len(plan.results_available),
        fallbacks=plan.fallbacks,
    )


def plan_part(name: str, reason: str, part: KeySet, keys: int) -> PlanPart:
    """A part of a plan, with the first `keys` of its keys."""
    return PlanPart(name=name, reason=reason, count=len(part), keys=tuple(islice(part, keys)))


def verify(
    manager: StateManager, job_ids: Iterable[str], problems: Sequence[str] = ()
) -> VerifyView:
    """The verdict on the store's medium and on each of the jobs.

    `problems` of the store that are known already count too. What cannot be read is a problem of
    its job. Cost: each job is read once, every value decoded. Raises JobAbsent.
    """
    checked = tuple(_verified(manager, job_id) for job_id in job_ids)
    found = (*problems, *manager.check_store())
    return VerifyView(
        store=manager.url,
        sound=not found and all(job.sound for job in checked),
        store_problems=found,
        jobs=checked,
    )


def repair(manager: StateManager, job_ids: Sequence[str], *, apply: bool) -> RepairView:
    """What a repair of these jobs, and of rows of no job, does; it is done only with `apply`.

    Cost: each job is read some times. Raises StoreUnreadable where the medium itself is damaged
    and `apply` is asked for.
    """
    repairs = tuple(manager.repair(job_id, apply=apply) for job_id in job_ids)
    strays = tuple(manager.set_strays_aside() if apply else manager.list_strays())
    problems = tuple(manager.check_store())
    jobs_sound = all(one.sound for job_id in job_ids for one in manager.verify(job_id))
    return RepairView(
        store=manager.url,
        applied=apply,
        sound=jobs_sound and not problems,
        repairs=repairs,
        strays=strays,
        store_problems=problems,
    )


def quarantine(manager: StateManager, job_id: str | None) -> QuarantineView:
    """What repairs set aside, of one job or of all."""
    return QuarantineView(store=manager.url, rows=tuple(manager.quarantine(job_id)))


def path(manager: StateManager, job_id: str, *, machine: str = JOB) -> PathView:
    """What the job has been through in `machine`: `job`, or `item` for all its items together.

    What a rewind undid counts too: it happened. Cost: the log is folded. Raises JobAbsent.
    """
    state = manager.get_state(job_id)
    taken: dict[str, int] = {}
    for event in manager.get_state_history(job_id, upto=state.seq):
        for name, count in event.transitions.items():
            of_machine, transition = name.split(":", 1)
            if of_machine == machine:
                taken[transition] = taken.get(transition, 0) + count
    table = state.lifecycle.machines[machine]
    counts = zip(table.states, state.items.counts(), strict=True) if machine != JOB else ()
    current = {name: count for name, count in counts if count} or {state.phase: 1}
    ends = {end for row in table.transitions if row.id in taken for end in (row.source, row.target)}
    visited = ends | {table.initial} | current.keys()
    return PathView(
        job=state.id,
        lifecycle=state.lifecycle.name,
        machine=machine,
        seq=state.seq,
        visited=tuple(name for name in table.states if name in visited),
        current=current,
        transitions={row.id: taken[row.id] for row in table.transitions if row.id in taken},
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


def _failures(manager: StateManager, state: JobState) -> dict[str, list[ItemFailure]]:
    """The failed attempts by item key, oldest first, as of `state`."""
    return {
        key: [failure_view(key, failure) for failure in failures if failure.seq <= state.seq]
        for key, failures in manager.failures(state.id, undecoded=True).items()
    }


def failure_view(key: str, failure: Failure) -> ItemFailure:
    """A failed attempt at the item of that key."""
    return ItemFailure(
        key=key, seq=failure.seq, cause=failure.cause, message=failure.message, at=failure.at
    )


def _allowed(state: JobState) -> Iterator[AllowedEvent]:
    machine = state.machine
    for event in state.allowed():
        rows = machine.of_pair(state.phase, event)
        if not machine.uses_payload(state.phase, event):
            rows = (machine.select(state.phase, event, state.guarded, {}),)
        spec = machine.event_specs[event]
        yield AllowedEvent(
            event=event,
            doc=spec.doc,
            targets=tuple(dict.fromkeys(row.target for row in rows)),
            fields=tuple(part.name for part in spec.fields if part.required),
        )


def _refused(state: JobState) -> Iterator[RefusedEvent]:
    machine = state.machine
    targets = {row.id: row.target for row in machine.transitions}
    named = {row.id: row.guards for row in machine.transitions}
    allowed = state.allowed()
    for event in machine.events:
        if event in allowed:
            continue
        refusal = machine.refusal(state.phase, event, state.guarded, {})
        guards = tuple(
            Guarding(
                transition=guard.transition,
                target=targets[guard.transition],
                guard=guard.guard,
                definitions={name: machine.guards[name] for name in named[guard.transition]},
                values=dict(guard.values),
            )
            for guard in refusal.guards
        )
        reason = "its guards say no" if guards else f"'{state.phase}' has no such transition"
        yield RefusedEvent(event=event, reason=reason, guards=guards)


def _line(before: StateEvent | None, event: StateEvent) -> HistoryLine:
    elapsed_s = None if before is None else (event.at - before.at).total_seconds()
    return HistoryLine(
        seq=event.seq,
        at=event.at,
        elapsed_s=elapsed_s,
        fence=event.fence,
        owner=event.owner,
        kind=event.kind,
        event=event.event,
        source=event.source,
        target=event.target,
        count=event.count,
        keys=tuple(islice(event.items, _KEYS_NAMED)),
        transitions=dict(event.transitions),
        payload=dict(event.payload),
    )


def _item(state: JobState, ordinal: int, failed: dict[str, list[ItemFailure]]) -> ItemLine:
    name, context = state.items.member(ordinal)
    key = state.inputs.key(ordinal)
    failures = failed.get(key, [])
    return ItemLine(
        ordinal=ordinal,
        key=key,
        state=name,
        attempts=context["attempts"],
        crashes=context.get("crashes", 0),
        suspect=context.get("suspect", False),
        failures=len(failures),
        last_failure=failures[-1] if failures else None,
    )


def _verified(manager: StateManager, job_id: str) -> VerifiedJob:
    try:
        (one,) = manager.verify(job_id)
    except StoreUnreadable as error:
        problem = Problem(invariant="readable", seq=None, message=error.problem)
        return VerifiedJob(
            job=job_id, sound=False, commits=0, checkpoints=0, items=0, problems=(problem,)
        )
    return VerifiedJob(
        job=one.job_id,
        sound=one.sound,
        commits=one.commits,
        checkpoints=one.checkpoints,
        items=one.items,
        problems=one.problems,
    )
