"""The requests that move a job and its items, and the decisions that turn them into facts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

import msgspec

from milepost.codec import encode_value, value_digest
from milepost.errors import (
    ItemAbsent,
    PayloadInvalid,
    RecordConflict,
    UpdateConflict,
    ValueInvalid,
)
from milepost.facts import Draft, ItemsFired, JobFired, WriteRejected
from milepost.job import JobState
from milepost.machine import Machine, Payload, Values
from milepost.state.append import Decision, Moment, RefusedWithRecord
from milepost.state.lease import Lease, check_lease
from milepost.state.locating import Locator
from milepost.state.results import ResultReader

__all__ = [
    "ItemEvent",
    "JobEvent",
    "Request",
    "Updater",
    "Wanted",
    "decide",
    "item_ordinal",
    "prepare",
]


class JobEvent(NamedTuple):
    """The job takes `event`. `payload` is a mapping or a generated payload dataclass."""

    event: str
    payload: Values | Payload | None = None


class ItemEvent(NamedTuple):
    """One item takes `event`. `item` is its key, or its ordinal from 0 in the order of creation."""

    item: str | int
    event: str
    payload: Values | Payload | None = None


Request: TypeAlias = JobEvent | ItemEvent

Updater: TypeAlias = Callable[[JobState], Iterable[Request] | Request | None]
"""Looks at a state and returns what should happen, in order."""


class _Checked(NamedTuple):
    """A request whose payload has been checked and encoded, outside any lock."""

    request: Request
    readable: dict[str, Any]  # Any: what guards may read, and the job's variables
    body: dict[str, msgspec.Raw] | None


Wanted: TypeAlias = Sequence[_Checked]


def prepare(state: JobState, requests: Iterable[Request]) -> Wanted:
    """`requests` with their payloads checked and encoded. Raises PayloadInvalid, ValueInvalid.

    Only the lifecycle of `state` is looked at, so it may be of any age.
    """
    return [_checked(state, request) for request in requests]


def decide(
    wanted: Wanted,
    *,
    lease: Lease | None,
    operator: bool = False,
    seq: int | None = None,
    locator: Locator | None = None,
) -> Decision:
    """The decision that appends what is `wanted`, all of it or nothing.

    `locator` knows where results are. With `seq` it raises UpdateConflict if the job is no longer
    there. A result that is recorded already is passed over if it is the same, and refused with a
    RecordConflict that the log keeps if it is not (INV-ONCE). A lease that is not the job's any
    more gives LeaseLost, and leaves its trace in the log too (INV-FENCE).
    """

    def decision(moment: Moment) -> Iterator[Draft]:
        check_lease(moment, lease, operator=operator, wants=lambda: _rejection(moment, wanted))
        if seq is not None and moment.state.seq != seq:
            raise UpdateConflict(job_id=moment.state.id, tries=1)
        return _drafts(moment, wanted, locator)

    return decision


def _drafts(moment: Moment, wanted: Wanted, locator: Locator | None) -> Iterator[Draft]:
    """The drafts of `wanted`: neighbours with the same event become one fact."""
    state = moment.state
    run: list[tuple[int, _Checked]] = []
    in_run: set[int] = set()
    settled = state.items.members(*state.items.machine.final)
    for checked in wanted:
        request = checked.request
        if isinstance(request, JobEvent):
            yield from _run_of_items(run)
            run, in_run = [], set()
            yield Draft(fact=JobFired(request.event, checked.readable), body=checked.body)
            continue
        ordinal = _ordinal(moment, request.item)
        if checked.body and ordinal in settled and _recorded(moment, ordinal, checked, locator):
            continue
        if run and (run[0][1].request.event != request.event or ordinal in in_run):
            yield from _run_of_items(run)
            run, in_run = [], set()
        run.append((ordinal, checked))
        in_run.add(ordinal)
    yield from _run_of_items(run)


def _run_of_items(run: list[tuple[int, _Checked]]) -> Iterator[Draft]:
    if not run:
        return
    readable = [checked.readable for _, checked in run]
    bodies = [checked.body for _, checked in run]
    yield Draft(
        fact=ItemsFired(
            event=str(run[0][1].request.event),
            ordinals=[ordinal for ordinal, _ in run],
            payloads=readable if any(readable) else None,
        ),
        body=bodies if any(body is not None for body in bodies) else None,
    )


def _recorded(moment: Moment, ordinal: int, checked: _Checked, locator: Locator | None) -> bool:
    """True if the item has just this result; raises RefusedWithRecord if it has another."""
    state = moment.state
    body = checked.body or {}
    if "result" not in body:
        return False  # the table decides
    recorded = _pending(moment, ordinal)
    if recorded is None:
        reader = ResultReader(moment.writer, moment.job, moment.committed, moment.url, locator)
        recorded = reader.encoded(ordinal)
    if recorded is None:
        return False
    digests = value_digest(recorded), value_digest(bytes(body["result"]))
    if digests[0] == digests[1]:
        return True
    raise RefusedWithRecord(
        RecordConflict(
            job_id=state.id,
            item=state.inputs.key(ordinal),
            recorded_digest=digests[0],
            digest=digests[1],
        ),
        Draft(
            fact=WriteRejected(
                code=RecordConflict.code,
                owner=state.owner or "",
                fence=state.fence,
                event=str(checked.request.event),
                ordinals=[ordinal],
            ),
            body=[body],
        ),
    )


def _pending(moment: Moment, ordinal: int) -> bytes | None:
    """The result of the item that others record in this commit, None if they do not."""
    for fact, body in reversed([(draft.fact, draft.body) for draft in moment.pending]):
        if not isinstance(fact, ItemsFired) or fact.event != "succeed":
            continue
        if ordinal in fact.ordinals and isinstance(body, list):
            return bytes(body[fact.ordinals.index(ordinal)]["result"])
    return None


def _rejection(moment: Moment, wanted: Wanted) -> tuple[str, list[int]]:
    """What a refused write wanted, for the record: its first event, and the items it names."""
    items = [c.request.item for c in wanted if isinstance(c.request, ItemEvent)]
    event = str(wanted[0].request.event) if wanted else ""
    return event, [_ordinal(moment, item) for item in items]


def item_ordinal(state: JobState, item: str | int) -> int:
    """The ordinal of the item with that key or ordinal. Raises ItemAbsent."""
    try:
        ordinal = state.inputs.ordinal(item) if isinstance(item, str) else item
        if not 0 <= ordinal < state.items.count:
            raise KeyError(item)
    except KeyError:
        raise ItemAbsent(job_id=state.id, item=item, count=state.items.count) from None
    return ordinal


def _ordinal(moment: Moment, item: str | int) -> int:
    """The ordinal of an item that the job has, and had before this commit."""
    ordinal = item_ordinal(moment.committed, item)
    inputs, then = moment.state.inputs, moment.committed.inputs
    if inputs is not then and (
        ordinal >= inputs.count or inputs.place(ordinal) != then.place(ordinal)
    ):  # others undid it, in this commit, and may have added another
        raise ItemAbsent(job_id=moment.state.id, item=item, count=inputs.count)
    return ordinal


def _checked(state: JobState, request: Request) -> _Checked:
    machine = state.machine if isinstance(request, JobEvent) else state.items.machine
    event = str(request.event)
    payload = machine.payload(event, request.payload)
    readable: dict[str, Any] = {}
    body: dict[str, msgspec.Raw] = {}
    for part in machine.event_specs[event].fields if payload else ():
        name, value = part.name, payload[part.name]
        if name == "variables" and isinstance(request, JobEvent):
            readable[name] = _variables(machine, event, value)
        elif part.readable:
            readable[name] = value
        else:
            try:
                body[name] = msgspec.Raw(encode_value(value, name))
            except ValueInvalid as error:
                whose = f" of item {request.item!r}" if isinstance(request, ItemEvent) else ""
                error.what = f"payload of '{event}'{whose}, field '{name}'"
                raise
    return _Checked(request, readable, body or None)


def _variables(machine: Machine, event: str, value: object) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        raise PayloadInvalid(
            machine=machine.name,
            event=event,
            problem=f"field 'variables' is {value!r}: it maps names to JSON values",
        )
    decoded: dict[str, Any] = msgspec.json.decode(encode_value(dict(value), "variables"))
    return decoded
