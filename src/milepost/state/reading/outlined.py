"""History by the log alone, where the tables of a lifecycle are not at hand."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from milepost.clock import instant
from milepost.items.inputs import Inputs, KeySet
from milepost.job.described import Described
from milepost.log.codec import decode_snapshot
from milepost.log.facts import (
    Commit,
    Fact,
    Forked,
    Imported,
    ItemsFired,
    JobFired,
    LeaseReleased,
    LeaseTaken,
    Migrated,
    Repaired,
    Rewound,
)
from milepost.log.rows import Row
from milepost.state.reading.events import Kind, StateEvent, told, told_bodies, touched
from milepost.state.reading.loading import JobLog
from milepost.state.reading.naming import Names
from milepost.state.reading.outline import Outline, outlines

__all__ = ["outlined"]

_UNKNOWN: Final = "?"


def outlined(log: JobLog, after: int, upto: int | None) -> Iterator[StateEvent]:
    """The events of the commits with `after < seq <= upto`, oldest first, without transitions.

    A phase between two events of the job in one commit is `?`: only tables tell. Raises
    LogCorrupt. Cost: one pass over the heads up to there.
    """
    names = Names(log.loader, log.reader)
    before: Outline | None = None
    for row, commit, stands in outlines(log, upto):
        if row.seq > after:
            bodies = told_bodies(log, row)
            means = names.meaning(stands.lifecycle.digest)
            yield from _events(before, commit, stands, row, bodies, means)
        before = stands
    if before is not None:
        log.check_end(before, upto)


def _events(
    before: Outline | None,
    commit: Commit,
    stands: Outline,
    row: Row,
    bodies: list[Any],
    means: Described | None,
) -> Iterator[StateEvent]:
    """The events of the commit that leads from `before` to `stands`."""
    moving = [i for i, f in enumerate(commit.facts) if isinstance(f, JobFired | Rewound | Migrated)]
    phase = before.phase if before else stands.phase
    owner, fence = (before.owner, before.fence) if before else (None, 0)
    version = (before or stands).lifecycle.version
    for index, fact in enumerate(commit.facts):
        body = bodies[index] if index < len(bodies) else None
        source = phase
        if index in moving:
            phase = stands.phase if index == moving[-1] else _led_to(fact)
        owner, fence = _held(fact, owner, fence)
        kind, event, payload = _said(fact, body, means, version)
        hit = touched(fact)
        yield StateEvent(
            seq=row.seq,
            at=instant(row.at_us),
            fence=fence,
            kind=kind,
            event=event,
            source=source,
            target=phase,
            owner=owner,
            count=len(hit),
            items=KeySet(hit, _known(before, stands)),
            transitions={},
            payload=payload,
        )


def _led_to(fact: Fact) -> str:
    """The phase after a fact that is not the last of its commit to change it."""
    if isinstance(fact, Rewound | Migrated):
        return decode_snapshot(fact.snapshot).phase
    return _UNKNOWN


def _held(fact: Fact, owner: str | None, fence: int) -> tuple[str | None, int]:
    """Who holds the job after a fact, and the fence."""
    match fact:
        case LeaseTaken():
            return fact.owner, fact.fence
        case LeaseReleased() | Forked():
            return None, fence
        case Repaired() if fact.fence > fence:
            return None, fact.fence
        case _:
            return owner, fence


def _known(before: Outline | None, stands: Outline) -> Inputs:
    """The items that a commit may speak of: those before it, with those that it added."""
    if before is None or stands.inputs.count >= before.inputs.count:
        return stands.inputs
    return before.inputs


def _said(
    fact: Fact, body: Any, means: Described | None, version: int
) -> tuple[Kind, str, dict[str, Any]]:
    """The kind of a fact, its event, and what came with it but for results."""
    match fact:
        case JobFired():
            return "job", fact.event, _payload(fact, body, means)
        case ItemsFired():
            return "items", fact.event, {}
        case _:
            kind, payload = told(fact, version)
            if isinstance(fact, Imported) and body:
                payload["report"] = body
            return kind, kind, payload


def _payload(fact: JobFired, body: Any, means: Described | None) -> dict[str, Any]:
    if means is None:
        return dict(fact.payload)
    payload = {**fact.payload, **(body or {})}
    result = means.owner.result
    if result is not None and result.event == fact.event:
        payload.pop(result.field, None)
    return payload
