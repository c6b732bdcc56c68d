"""The audit history: what happened to a job, event by event, read back from its log."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Literal, TypeAlias

from milepost.clock import instant
from milepost.codec import decode_body
from milepost.facts import (
    CheckpointTaken,
    Fact,
    ItemsAdded,
    ItemsFired,
    JobCreated,
    JobFired,
    LeaseReleased,
    LeaseTaken,
    Rewound,
    WriteRejected,
)
from milepost.fold import apply, trace
from milepost.inputs import KeySet
from milepost.items import bitmap
from milepost.job import JobState
from milepost.rows import Row, StoredJob
from milepost.state.loading import Loader
from milepost.state.persistence import Reader

__all__ = ["Kind", "StateEvent", "history"]

Kind: TypeAlias = Literal[
    "created", "added", "job", "items", "lease", "released", "checkpoint", "rewound", "rejected"
]


@dataclass(frozen=True, slots=True, kw_only=True)
class StateEvent:
    """One thing that happened, in commit `seq` at `at`, under `fence`.

    `event` is the event's name; for what is no event of a machine, its kind. `source` and
    `target` are the job's phases before and after; `count` is how many items it touched and
    `items` which. `transitions` counts the transitions taken, by machine and id (`item:…`,
    `job:…`). `payload` is what came with the event, results left out.
    """

    seq: int
    at: datetime
    fence: int
    kind: Kind
    event: str
    source: str
    target: str
    owner: str | None
    count: int
    items: KeySet
    transitions: Mapping[str, int]
    payload: Mapping[str, Any]  # Any: JSON


def history(
    loader: Loader, reader: Reader, job: StoredJob, after: int, upto: int | None
) -> Iterator[StateEvent]:
    """The events of the commits with `after < seq <= upto`, oldest first, streamed.

    Cost: the log up to there is folded. Raises LogCorrupt, after everything before it was given.
    """
    state = loader.state_at(reader, job, after) if after else loader.origin(reader, job)
    rows = loader.replay(reader, job, state, upto)
    for row, folded in rows:
        bodies = _job_bodies(loader, reader, job, row)
        commit = loader.commit(job, row, state.digest)
        state = replace(state, seq=row.seq, updated_at_us=row.at_us)
        for index, fact in enumerate(commit.facts):
            body = bodies[index] if index < len(bodies) else None
            yield _event(state, fact, row, body)
            state = apply(state, fact)
        state = folded


def _job_bodies(loader: Loader, reader: Reader, job: StoredJob, row: Row) -> list[Any]:
    """The bodies of a commit in which the job itself took an event; items' bodies are not read."""
    commit_facts = loader.facts(job, row)
    if not row.body_digest or not any(isinstance(fact, JobFired) for fact in commit_facts):
        return []
    whole = next(iter(reader.rows(job.number, row.seq - 1, row.seq, bodies=True)))
    return decode_body(whole, url=loader.store.url, job_id=job.job_id)


def _event(state: JobState, fact: Fact, row: Row, body: Any) -> StateEvent:
    kind: Kind
    payload: dict[str, Any] = {}
    event = ""
    touched = bitmap()
    transitions: dict[str, int] = {}
    match fact:
        case JobFired() | ItemsFired():
            taken = trace(state, fact)
            kind = "job" if taken.step else "items"
            event = fact.event
            if taken.step:
                transitions[f"job:{taken.step.transition}"] = 1
            for _, moves in taken.moves:
                for move in moves:
                    name = f"item:{move.transition}"
                    transitions[name] = transitions.get(name, 0) + len(move.members)
                    touched = touched | move.members
            if isinstance(fact, JobFired):
                payload = {**fact.payload, **(body or {})}
                payload.pop("result", None)
        case JobCreated():
            kind = "created"
            payload = {**fact.job_params, **fact.item_params, "items": fact.item_count}
        case ItemsAdded():
            kind = "added"
            touched = bitmap(range(fact.first, fact.first + fact.count))
            payload = {"items": fact.first + fact.count, "fingerprint": fact.fingerprint}
        case LeaseTaken():
            kind = "lease"
            payload = {"owner": fact.owner, "reason": fact.reason}
        case LeaseReleased():
            kind = "released"
            payload = {"owner": fact.owner}
        case CheckpointTaken():
            kind = "checkpoint"
            payload = {"seq": fact.seq, "reason": fact.reason, "digest": fact.digest}
        case Rewound():
            kind = "rewound"
            payload = {"to_seq": fact.to_seq, "reason": fact.reason}
        case WriteRejected():
            kind = "rejected"
            touched = bitmap(fact.ordinals)
            payload = {"code": fact.code, "owner": fact.owner, "event": fact.event}
    after = apply(state, fact)
    return StateEvent(
        seq=row.seq,
        at=instant(row.at_us),
        fence=after.fence,
        kind=kind,
        event=event or kind,
        source=state.phase,
        target=after.phase,
        owner=after.owner,
        count=len(touched),
        items=KeySet(touched, after.inputs if kind == "added" else state.inputs),
        transitions=transitions,
        payload=payload,
    )
