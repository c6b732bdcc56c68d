"""The audit history: what happened to a job, event by event, read back from its log."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Literal, TypeAlias

from msgspec import structs

from milepost.clock import instant
from milepost.errors import CodecAbsent
from milepost.items.inputs import KeySet
from milepost.items.ledger import bitmap
from milepost.items.ledgers import ledger_named
from milepost.job.fold import apply, trace
from milepost.job.state import JobState
from milepost.log.codec import decode_body
from milepost.log.facts import (
    CheckpointTaken,
    Fact,
    Forked,
    Imported,
    ItemsAdded,
    ItemsFired,
    JobCreated,
    JobFired,
    LeaseReleased,
    LeaseTaken,
    MembersAdded,
    Migrated,
    Repaired,
    Rewound,
    WriteRejected,
)
from milepost.log.rows import Row, StoredJob
from milepost.state.persistence import Reader
from milepost.state.reading.loading import Loader
from milepost.text.wording import short_repr

__all__ = ["Kind", "StateEvent", "history"]

Kind: TypeAlias = Literal[
    "created",
    "added",
    "job",
    "items",
    "lease",
    "released",
    "checkpoint",
    "rewound",
    "migrated",
    "forked",
    "imported",
    "rejected",
    "repaired",
]

Told: TypeAlias = (
    JobCreated
    | ItemsAdded
    | MembersAdded
    | LeaseTaken
    | LeaseReleased
    | CheckpointTaken
    | Rewound
    | Migrated
    | Forked
    | Imported
    | WriteRejected
    | Repaired
)


@short_repr
@dataclass(frozen=True, slots=True, kw_only=True)
class StateEvent:
    """One thing that happened, in commit `seq` at `at`, under `fence`.

    `event` is the event's name; for what is no event of a machine, its kind. `source` and
    `target` are the job's phases before and after; `count` is how many items it touched and
    `items` which. `transitions` counts the transitions taken, by machine and id (of the built-in
    lifecycle `item:…` and `job:…`). `payload` is what came with the event, results left out; what
    needs a codec that is not at hand is left out as well, and `encoded_by` in it names the codec.
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
    state = loader.logged_at(reader, job, after) if after else loader.origin(reader, job)
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
    loader.check_end(reader, job, state, upto)


def _job_bodies(loader: Loader, reader: Reader, job: StoredJob, row: Row) -> list[Any]:
    """The bodies of a commit in which the job took an event, or was imported; no items' bodies."""
    commit_facts = loader.facts(job, row)
    if not row.body_digest or not any(
        isinstance(fact, JobFired | Imported) for fact in commit_facts
    ):
        return []
    for whole in reader.rows(job.number, row.seq - 1, row.seq, bodies=True):
        attested = structs.replace(row, body=whole.body)
        try:
            return decode_body(
                attested, url=loader.store.url, job_id=job.job_id, payloads=loader.payloads
            )
        except CodecAbsent as error:
            return [
                {"encoded_by": error.codec} if isinstance(fact, JobFired) else None
                for fact in commit_facts
            ]
    raise loader.corrupt(job, row.seq, "it was there and is missing")


def _event(state: JobState, fact: Fact, row: Row, body: Any) -> StateEvent:
    kind: Kind
    transitions: dict[str, int] = {}
    touched = bitmap()
    if isinstance(fact, JobFired | ItemsFired):
        event = fact.event
        taken = trace(state, fact)
        kind = "job" if taken.step else "items"
        payload: dict[str, Any] = {}
        if isinstance(fact, JobFired):
            payload = {**fact.payload, **(body or {})}
            if state.roles.result is not None:
                payload.pop(state.roles.result.field, None)
        if taken.step:
            transitions[f"{state.machine.name}:{taken.step.transition}"] = 1
        for collection, _, moves in taken.moves:
            machine = ledger_named(state.items, collection).machine
            for move in moves:
                name = f"{machine.name}:{move.transition}"
                transitions[name] = transitions.get(name, 0) + len(move.members)
                touched = touched | move.members
    else:
        kind, payload = _described(state, fact)
        event = kind
        if isinstance(fact, Imported) and body:
            payload["report"] = body
        if isinstance(fact, WriteRejected):
            touched = bitmap(fact.ordinals)
        elif isinstance(fact, ItemsAdded | MembersAdded):
            touched = bitmap(range(fact.first, fact.first + fact.count))
    after = apply(state, fact)
    return StateEvent(
        seq=row.seq,
        at=instant(row.at_us),
        fence=after.fence,
        kind=kind,
        event=event,
        source=state.phase,
        target=after.phase,
        owner=after.owner,
        count=len(touched),
        items=KeySet(touched, after.inputs if kind == "added" else state.inputs),
        transitions=transitions,
        payload=payload,
    )


def _described(state: JobState, fact: Told) -> tuple[Kind, dict[str, Any]]:
    """The kind of a fact that is no event of a machine, and what it says."""
    match fact:
        case JobCreated():
            payload = {**fact.job_params, **fact.item_params, "items": fact.item_count}
            return "created", payload
        case ItemsAdded():
            items = fact.first + fact.count
            return "added", {"items": items, "fingerprint": fact.fingerprint}
        case MembersAdded():
            added = {"collection": fact.collection, "items": fact.first + fact.count}
            return "added", {**added, "fingerprint": fact.fingerprint}
        case LeaseTaken():
            return "lease", {"owner": fact.owner, "reason": fact.reason}
        case LeaseReleased():
            return "released", {"owner": fact.owner}
        case CheckpointTaken():
            payload = {"seq": fact.seq, "reason": fact.reason, "digest": fact.digest}
            return "checkpoint", payload
        case Rewound():
            return "rewound", {"to_seq": fact.to_seq, "reason": fact.reason}
        case Migrated():
            versions = {"version": fact.version, "from_version": state.lifecycle.version}
            return "migrated", {"lifecycle": fact.lifecycle, **versions, "digest": fact.digest}
        case Forked():
            source = {"from_job": fact.from_job, "from_seq": fact.from_seq}
            return "forked", {**source, "reason": fact.reason}
        case Imported():
            old = {"tool": fact.tool, "job": fact.old_id, "repo": fact.repo, "source": fact.source}
            at = instant(fact.imported_at_us).isoformat().replace("+00:00", "Z")
            return "imported", {**old, "fingerprint": fact.fingerprint, "imported_at": at}
        case WriteRejected():
            payload = {"code": fact.code, "owner": fact.owner, "event": fact.event}
            return "rejected", payload
        case Repaired():
            payload = {
                "lost_from": fact.lost_from,
                "lost_upto": fact.lost_upto,
                "aside_count": fact.aside_count,
                "reason": fact.reason,
            }
            return "repaired", payload
