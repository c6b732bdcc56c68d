"""What history tells of: one event each, and what facts say of themselves."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, TypeAlias

from msgspec import structs
from pyroaring import BitMap

from milepost.clock import instant
from milepost.errors import CodecAbsent
from milepost.items.inputs import KeySet
from milepost.items.ledger import bitmap
from milepost.log.facts import (
    CheckpointTaken,
    Fact,
    FolderNamed,
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
from milepost.log.rows import Row
from milepost.state.reading.loading import JobLog
from milepost.text.wording import short_repr

__all__ = ["Kind", "StateEvent", "Told", "told", "told_bodies", "touched"]

Kind: TypeAlias = Literal[
    "created",
    "added",
    "job",
    "items",
    "lease",
    "released",
    "folder",
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
    | FolderNamed
    | CheckpointTaken
    | Rewound
    | Migrated
    | Forked
    | Imported
    | WriteRejected
    | Repaired
)


@short_repr
@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class StateEvent:
    """One thing that happened, in commit `seq` at `at`, under `fence`.

    `event` is the event's name; for what is no event of a machine, its kind. `source` and
    `target` are the job's phases before and after; `count` is how many items it touched and
    `items` which. `transitions` counts the transitions taken, by machine and id (of the built-in
    lifecycle `item:…` and `job:…`). `payload` is what came with the event, results left out; what
    needs a codec that is not at hand is left out as well, and `encoded_by` in it names the codec.
    `messages` says of a failure what was said of it, by key of the item; it is empty where the
    tables of the version are not at hand.
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
    messages: Mapping[str, str] = field(default_factory=dict)


def _never(_: Fact) -> bool:
    return False


def told_bodies(log: JobLog, row: Row, failing: Callable[[Fact], bool] = _never) -> list[Any]:
    """The bodies of a commit in which the job took an event, was imported, or items were `failing`.

    Those of the other facts may be among them. What needs a codec that is not at hand is a mapping
    that names it.
    """
    commit_facts = log.facts(row)
    if not row.body_digest or not any(
        isinstance(fact, JobFired | Imported) or failing(fact) for fact in commit_facts
    ):
        return []
    for whole in log.rows(row.seq - 1, row.seq, bodies=True):
        attested = structs.replace(row, body=whole.body)
        try:
            return log.bodies(attested)
        except CodecAbsent as error:
            return [
                {"encoded_by": error.codec} if isinstance(fact, JobFired) or failing(fact) else None
                for fact in commit_facts
            ]
    raise log.corrupt(row.seq, "it was there and is missing")


def touched(fact: Fact) -> BitMap:
    """The items that a fact names."""
    if isinstance(fact, ItemsFired | WriteRejected):
        return bitmap(fact.ordinals)
    if isinstance(fact, ItemsAdded | MembersAdded):
        return bitmap(range(fact.first, fact.first + fact.count))
    return bitmap()


def told(fact: Told, version: int) -> tuple[Kind, dict[str, Any]]:
    """The kind of a fact that is no event of a machine, and what it says.

    `version` is the number of the one that the job ran by before.
    """
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
        case LeaseReleased() | FolderNamed():
            return _named(fact)
        case CheckpointTaken():
            payload = {"seq": fact.seq, "reason": fact.reason, "digest": fact.digest}
            return "checkpoint", payload
        case Rewound():
            return "rewound", {"to_seq": fact.to_seq, "reason": fact.reason}
        case Migrated():
            versions = {"version": fact.version, "from_version": version}
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


def _named(fact: LeaseReleased | FolderNamed) -> tuple[Kind, dict[str, Any]]:
    if isinstance(fact, FolderNamed):
        return "folder", {"url": fact.url}
    return "released", {"owner": fact.owner}
