"""The requests that move a job and its items, and the decisions that turn them into facts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple, TypeAlias

import msgspec

from milepost.codec import encode_value, value_digest
from milepost.errors import (
    CodecAbsent,
    ItemAbsent,
    PayloadInvalid,
    RecordConflict,
    UpdateConflict,
    ValueInvalid,
)
from milepost.facts import Draft, ItemsFired, JobFired, WriteRejected
from milepost.job import JobState
from milepost.machine import Machine, Payload, Values
from milepost.payloads import PayloadCodec, digest_key
from milepost.state.append import Decision, Joinable, Moment, RefusedWithRecord
from milepost.state.lease import Lease, check_lease
from milepost.state.results import ResultReader

__all__ = [
    "ItemEvent",
    "JobEvent",
    "Request",
    "Updater",
    "Wanted",
    "decide",
    "prepare",
    "refuse_clear_text",
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


def refuse_clear_text(
    state: JobState, wanted: Wanted, payloads: PayloadCodec | None, url: str
) -> None:
    """Raise CodecAbsent if what is `wanted` would be stored in the clear, and the items are not."""
    if payloads is not None or not any(checked.body for checked in wanted):
        return
    name = state.inputs.codec
    if name:
        problem = (
            f"the payloads of job {state.id} are encoded by the codec {name} and none was given:"
            " these would be stored in the clear; open the store with payload_codec=…"
        )
        raise CodecAbsent(url=url, codec=name, problem=problem)


def decide(
    wanted: Wanted,
    *,
    lease: Lease | None,
    operator: bool = False,
    seq: int | None = None,
) -> Decision:
    """The decision that appends what is `wanted`, all of it or nothing.

    With `seq` it raises UpdateConflict if the job is no longer there. A result that is recorded
    already is passed over if it is the same, and refused with a RecordConflict that the log keeps
    if it is not (INV-ONCE). A lease that is not the job's any more gives LeaseLost, and leaves
    its trace in the log too (INV-FENCE).
    """
    return _Decision(wanted, lease, operator, seq)


@dataclass(slots=True)
class _Decision(Joinable):
    """What `decide` gives. Those under one lease are alike, unless they ask for one state."""

    wanted: Wanted
    lease: Lease | None
    operator: bool
    seq: int | None

    @property
    def kind(self) -> object:
        """As in Joinable."""
        return (self.lease, self.operator) if self.seq is None else None

    def joined(self, others: Iterable[Decision]) -> Decision:
        """As in Joinable."""
        wanted = list(self.wanted)
        for other in others:
            assert isinstance(other, _Decision), "it is of the same kind"
            wanted += other.wanted
        return _Decision(wanted, self.lease, self.operator, None)

    def __call__(self, moment: Moment) -> Iterable[Draft]:
        """As a Decision."""
        wanted, seq = self.wanted, self.seq
        wants = partial(_rejection, moment, wanted)
        check_lease(moment, self.lease, operator=self.operator, wants=wants)
        if seq is not None and moment.state.seq != seq:
            raise UpdateConflict(job_id=moment.state.id, tries=1)
        return _drafts(moment, wanted)


def _drafts(moment: Moment, wanted: Wanted) -> list[Draft]:
    """The drafts of `wanted`: neighbours with the same event become one fact."""
    state = moment.state
    drafts: list[Draft] = []
    run = _Run("")
    settled = state.items.members(*state.items.machine.final)
    for checked in wanted:
        request, readable, body = checked
        if isinstance(request, JobEvent):
            run.end(drafts)
            drafts.append(Draft(JobFired(request.event, readable), body))
            continue
        ordinal = _ordinal(state, request.item)
        if body and ordinal in settled and _recorded(moment, ordinal, checked):
            continue
        if request.event != run.event or ordinal in run.bodies:
            run.end(drafts)
            run = _Run(request.event)
        run.bodies[ordinal] = body
        run.readable.append(readable)
    run.end(drafts)
    return drafts


class _Run:
    """Items side by side that take the same event: one fact."""

    __slots__ = ("bodies", "event", "readable")

    def __init__(self, event: str) -> None:
        self.event = event
        self.readable: list[dict[str, Any]] = []
        self.bodies: dict[int, dict[str, msgspec.Raw] | None] = {}  # by ordinal, in order

    def end(self, drafts: list[Draft]) -> None:
        """Add the fact, if there is one."""
        if self.bodies:
            payloads = self.readable if any(self.readable) else None
            fact = ItemsFired(str(self.event), list(self.bodies), payloads)
            bodies = list(self.bodies.values())
            drafts.append(Draft(fact, bodies if any(bodies) else None))
            self.bodies = {}


def _recorded(moment: Moment, ordinal: int, checked: _Checked) -> bool:
    """True if the item has just this result; raises RefusedWithRecord if it has another."""
    state = moment.state
    body = checked.body or {}
    if "result" not in body:
        return False  # the table decides
    # what others add to this commit has no row yet, so the log is read as of the one before
    reader = ResultReader(moment.writer, moment.job, moment.committed, moment.url, moment.payloads)
    recorded = reader.encoded(ordinal)
    if recorded is None:
        return False
    key = digest_key(moment.payloads)
    digests = value_digest(recorded, key), value_digest(bytes(body["result"]), key)
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


def _rejection(moment: Moment, wanted: Wanted) -> tuple[str, list[int]]:
    """What a refused write wanted, for the record: its first event, and the items it names."""
    items = [c.request.item for c in wanted if isinstance(c.request, ItemEvent)]
    event = str(wanted[0].request.event) if wanted else ""
    return event, [_ordinal(moment.state, item) for item in items]


def _ordinal(state: JobState, item: str | int) -> int:
    try:
        if isinstance(item, str):
            return state.inputs.ordinal(item)
        if not 0 <= item < state.items.count:
            raise KeyError(item)
    except KeyError:
        raise ItemAbsent(job_id=state.id, item=item, count=state.items.count) from None
    return item


def _checked(state: JobState, request: Request) -> _Checked:
    of_item = isinstance(request, ItemEvent)
    machine = state.items.machine if of_item else state.machine
    event = str(request.event)
    payload = machine.payload(event, request.payload)
    readable: dict[str, Any] = {}
    body: dict[str, msgspec.Raw] = {}
    for part in machine.event_specs[event].fields if payload else ():
        name = part.name
        if part.readable:
            readable[name] = payload[name]
        elif name == "variables" and not of_item:
            readable[name] = _variables(machine, event, payload[name])
        else:
            try:
                body[name] = msgspec.Raw(encode_value(payload[name], name))
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
