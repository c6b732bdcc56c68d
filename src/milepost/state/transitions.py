"""The requests that move a job and its items, and the decisions that turn them into facts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple, SupportsIndex, TypeAlias

import msgspec
from pyroaring import BitMap

from milepost import arguments
from milepost.errors import (
    ArgumentInvalid,
    CodecAbsent,
    ItemAbsent,
    PayloadInvalid,
    RecordConflict,
    UpdateConflict,
    ValueInvalid,
)
from milepost.items.ledger import Ledger
from milepost.items.ledgers import parts_in
from milepost.items.parts import done_states
from milepost.job.state import JobState
from milepost.log.codec import as_json, encode_variables, value_digest
from milepost.log.facts import Draft, ItemsFired, JobFired, WriteRejected
from milepost.log.payloads import PayloadCodec, digest_key
from milepost.machine import Field, Machine, Payload, Values
from milepost.roles import Roles
from milepost.state.limits import Limits, check_value
from milepost.state.reading.locating import Locator, ResultsFar
from milepost.state.reading.outline import Outline
from milepost.state.reading.results import ResultReader
from milepost.state.writing.decision import Decision, Joinable, Moment, RefusedWithRecord
from milepost.state.writing.lease import Lease, check_lease
from milepost.text.wording import short_repr, shown
from milepost.worker.beside import Stored, as_stored
from milepost.worker.values import Encoded, encode_value

__all__ = [
    "ItemEvent",
    "JobEvent",
    "Request",
    "Updater",
    "Wanted",
    "Write",
    "decide",
    "item_ordinal",
    "named_item",
    "prepare",
    "refuse_clear_text",
]


@short_repr
class JobEvent(NamedTuple):
    """The job takes `event`. `payload` is a mapping or a generated payload dataclass."""

    event: str
    payload: Values | Payload | None = None


@short_repr
class ItemEvent(NamedTuple):
    """One item takes `event`. `item` is its key, or its ordinal from 0 in the order of creation."""

    item: str | int
    event: str
    payload: Values | Payload | None = None


Request: TypeAlias = JobEvent | ItemEvent


@short_repr
class Write(NamedTuple):
    """A request as of `record` and `fire`: these events of one job, all of them or none.

    Leases are as there.
    """

    job_id: str
    requests: Sequence[Request]
    lease: Lease | None = None
    operator: bool = False


Updater: TypeAlias = Callable[[JobState], Iterable[Request] | Request | None]
"""Looks at a state and returns what should happen, in order."""


class _Checked(NamedTuple):
    """A request whose payload has been checked and encoded, outside any lock."""

    request: Request
    readable: dict[str, Any]  # Any: what guards may read, and the job's variables
    body: dict[str, msgspec.Raw] | None
    collection: str | None = None  # that of the item, where a job has several


Wanted: TypeAlias = Sequence[_Checked]


def prepare(state: JobState, requests: Iterable[Request], limits: Limits) -> Wanted:
    """`requests` with their payloads checked and encoded.

    Raises PayloadInvalid, ValueInvalid, and TooLarge for a value beyond `limits`.

    Only the lifecycle of `state` is looked at, so it may be of any age; where it has not one
    collection, what the items named are of, too. Raises ItemAbsent then.
    """
    wanted: list[_Checked] = []
    for request in requests:  # of every record: no comprehension
        wanted.append(_checked(state, request, limits))  # noqa: PERF401
    return wanted


def refuse_clear_text(
    state: JobState, wanted: Wanted, payloads: PayloadCodec | None, url: str
) -> None:
    """Raise CodecAbsent if what is `wanted` would be stored in the clear, and the items are not."""
    if payloads is not None:
        return
    for checked in wanted:
        if checked.body:
            break
    else:
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
    base: JobState | None = None,
    locator: Locator | None = None,
    hurried: bool = False,
) -> Decision:
    """The decision that appends what is `wanted`, all of it or nothing.

    `locator` knows where results are. With `base` it raises UpdateConflict if the job is no longer
    in that state. A result that is recorded already is passed over if it is the same, and refused
    with a RecordConflict that the log keeps if it is not (INV-ONCE): if it is `hurried`, it raises
    ResultsFar where that would take a long look at the log under the lock. A lease that is not the
    job's any more gives LeaseLost, and leaves its trace in the log too (INV-FENCE).
    """
    return _Decision(wanted, lease, operator, base, locator, hurried)


@dataclass(slots=True)
class _Decision(Joinable):
    """The answer of `decide`. Decisions under one lease are alike, unless they ask for a state."""

    wanted: Wanted
    lease: Lease | None
    operator: bool
    base: JobState | None
    locator: Locator | None
    hurried: bool = False

    @property
    def kind(self) -> object:
        """As in Joinable."""
        return (self.lease, self.operator, self.hurried) if self.base is None else None

    def joined(self, others: Iterable[Decision]) -> Decision:
        """As in Joinable."""
        wanted = list(self.wanted)
        for other in others:
            assert isinstance(other, _Decision), "it is of the same kind"
            wanted += other.wanted
        return _Decision(wanted, self.lease, self.operator, None, self.locator, self.hurried)

    def __call__(self, moment: Moment) -> Iterable[Draft]:
        """As a Decision."""
        wanted, base = self.wanted, self.base
        wants = partial(_rejection, moment, wanted)
        check_lease(moment, self.lease, operator=self.operator, wants=wants)
        if base is not None and (moment.log.number, moment.state.seq) != (base.number, base.seq):
            raise UpdateConflict(job_id=moment.state.id, tries=1)
        return _drafts(moment, wanted, self.locator, hurried=self.hurried)


def _drafts(
    moment: Moment, wanted: Wanted, locator: Locator | None, *, hurried: bool
) -> list[Draft]:
    """The drafts of `wanted`: neighbours with the same event become one fact."""
    state = moment.state
    drafts: list[Draft] = []
    run: _Run | None = None
    done = parts_in(state.items, done_states)
    again: set[int] = set()
    count = state.items.count if state.inputs is moment.committed.inputs else 0
    for checked in wanted:
        request, readable, body, collection = checked
        if isinstance(request, JobEvent):
            if run is not None:
                run.end(drafts)
                run = None
            drafts.append(Draft(JobFired(request.event, readable), body))
            continue
        ordinal = request.item
        if type(ordinal) is not int or not 0 <= ordinal < count:
            ordinal = _ordinal(moment, request.item)
        if _is_in(ordinal, done) and ordinal not in again:
            if _recorded(moment, ordinal, checked, locator, hurried=hurried):
                continue
            if _done_again(state, ordinal, request.event):
                again.add(ordinal)  # what it gives after that is another result
        if collection is not None:
            _check_collection(state, ordinal, collection)
        alike = run is not None and run.event == request.event and run.collection == collection
        if run is None or not alike or ordinal in run.bodies:
            if run is not None:
                run.end(drafts)
            run = _Run(request.event, collection)
        run.bodies[ordinal] = body
        run.readable.append(readable)
    if run is not None:
        run.end(drafts)
    return drafts


def _is_in(ordinal: int, parts: list[BitMap]) -> bool:
    for part in parts:  # noqa: SIM110 of every record: a generator costs more than the look
        if ordinal in part:
            return True
    return False


def _check_collection(state: JobState, ordinal: int, collection: str) -> None:
    """Raise UpdateConflict if the item is of another collection than when it was looked up."""
    if state.collection_of(ordinal) != collection:  # others went back, and added another
        raise UpdateConflict(job_id=state.id, tries=1)


class _Run:
    """Items of one collection, side by side, that take the same event: one fact."""

    __slots__ = ("bodies", "collection", "event", "readable")

    def __init__(self, event: str, collection: str | None) -> None:
        self.event = event
        self.collection = collection
        self.readable: list[dict[str, Any]] = []
        self.bodies: dict[int, dict[str, msgspec.Raw] | None] = {}  # by ordinal, in order

    def end(self, drafts: list[Draft]) -> None:
        """Add the fact, which has an item at least."""
        payloads = self.readable if any(self.readable) else None
        fact = ItemsFired(self.event, list(self.bodies), payloads)
        bodies = list(self.bodies.values())
        drafts.append(Draft(fact, bodies if any(bodies) else None))


def _recorded(
    moment: Moment, ordinal: int, checked: _Checked, locator: Locator | None, *, hurried: bool
) -> bool:
    """True if the item has just this result; raises RefusedWithRecord if it has another."""
    state = moment.state
    role = state.roles_of(ordinal).result
    if role is None or checked.request.event != role.event:
        return False  # the table decides
    if not role.field:
        # with nothing in it that could differ it is the same; else the table decides
        return not state.ledger_of(ordinal).machine.event_specs[role.event].fields
    key = digest_key(moment.log.payloads)
    wanted = _digest(state.roles_of(ordinal), checked.readable, checked.body, key)
    recorded = _pending(moment, ordinal, state.roles_of(ordinal), key)
    if recorded is None:
        # what others add to this commit has no row yet, so the log is read as of the one before
        log, before = moment.log, moment.committed
        if hurried and locator is not None and not locator.is_near(before):
            raise ResultsFar
        reader = ResultReader(log.reader, log.entry, before, log.url, log.payloads, locator)
        recorded = reader.digest(ordinal)
    if recorded is None:
        return False
    if recorded == wanted:
        return True
    raise RefusedWithRecord(
        RecordConflict(
            job_id=state.id,
            item=state.inputs.key(ordinal),
            recorded_digest=recorded,
            digest=wanted,
        ),
        Draft(
            fact=WriteRejected(
                code=RecordConflict.code,
                owner=state.owner or "",
                fence=state.fence,
                event=checked.request.event,
                ordinals=[ordinal],
            ),
            body=[checked.body],
        ),
    )


def _pending(moment: Moment, ordinal: int, roles: Roles, key: bytes) -> str | None:
    """The digest of the result that others record of the item in this commit, None if none."""
    assert roles.result is not None, "a result was recorded"
    for fact, body in reversed([(draft.fact, draft.body) for draft in moment.pending]):
        if not isinstance(fact, ItemsFired) or fact.event != roles.result.event:
            continue
        if ordinal in fact.ordinals:
            at = fact.ordinals.index(ordinal)
            readable = fact.payloads[at] if fact.payloads else {}
            return _digest(roles, readable, body[at] if isinstance(body, list) else None, key)
    return None


def _done_again(state: JobState, ordinal: int, event: str) -> bool:
    redo = state.roles_of(ordinal).redo
    return redo is not None and redo.event == event


def _digest(
    roles: Roles, readable: Values, body: Mapping[str, msgspec.Raw] | None, key: bytes
) -> str:
    """The digest of the result in a payload, whether it stands there or beside the log."""
    assert roles.result is not None, "it is the payload of a result"
    name = roles.result.field
    if name in readable:
        return value_digest(encode_value(readable[name], name), key)
    if roles.stored is not None and body and roles.stored.field in body:
        return msgspec.json.decode(body[roles.stored.field], type=Stored).digest
    return value_digest(bytes((body or {})[name]), key)


def _rejection(moment: Moment, wanted: Wanted) -> tuple[str, list[int]]:
    """The request of a refused write, for the record: its first event, and the items it names."""
    items = [c.request.item for c in wanted if isinstance(c.request, ItemEvent)]
    event = wanted[0].request.event if wanted else ""
    return event, [_ordinal(moment, item) for item in items]


def item_ordinal(state: JobState | Outline, item: str | int) -> int:
    """The ordinal of the item with that key or ordinal. Raises ItemAbsent."""
    inputs = state.inputs
    try:
        ordinal = inputs.ordinal(item) if isinstance(item, str) else item
        if not 0 <= ordinal < inputs.count:
            raise KeyError(item)
    except KeyError:
        names = (
            tuple(state.ledgers)
            if isinstance(state, JobState)
            else tuple(dict.fromkeys(name for name, _, _ in state.members))
        )
        raise ItemAbsent(
            job_id=state.id, item=item, count=inputs.count, collections=names
        ) from None
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


def named_item(item: object) -> str | int:
    """The key or the ordinal of an item. Raises ArgumentInvalid for what can be neither."""
    if isinstance(item, str):
        return item if type(item) is str else str.__str__(item)
    if type(item) is int:
        return item
    if isinstance(item, bool) or not isinstance(item, SupportsIndex):
        arguments.refuse("item", item, "the key of an item, or its ordinal,")
    return arguments.ordinal("item", item)


def _checked(state: JobState, request: Request, limits: Limits) -> _Checked:
    collection: str | None = None
    variables: tuple[tuple[str, str], ...] = ()
    if isinstance(request, ItemEvent):
        if type(request.item) is not int and type(request.item) is not str:
            request = request._replace(item=named_item(request.item))
        if isinstance(state.items, Ledger):
            machine = state.items.machine
        else:
            collection = state.collection_of(item_ordinal(state, request.item))
            machine = state.ledgers[collection].machine
    else:
        arguments.instance("requests", request, JobEvent, "a JobEvent or an ItemEvent")
        machine = state.machine
        variables = machine.roles.variables
    event = request.event
    if type(event) is not str:
        event = arguments.text("event", event)
        request = request._replace(event=event)
    payload = machine.payload(event, request.payload)
    readable: dict[str, Any] = {}
    body: dict[str, msgspec.Raw] = {}
    stored = machine.roles.stored
    for part in machine.event_specs[event].fields if payload else ():
        name = part.name
        value = payload[name]
        if part.readable:
            readable[name] = value
        elif (event, name) in variables:
            readable[name] = _variables(state.id, machine, event, name, value, limits)
        elif stored is None or stored != (event, name):
            body[name] = _encoded(state.id, request, part, value, limits)
        elif value is not None:  # what is left out takes no room
            body[name] = _reference(machine, event, name, payload)
    checked = (request, readable, body or None, collection)
    return tuple.__new__(_Checked, checked)  # a third cheaper


def _encoded(
    job_id: str, request: Request, part: Field, value: object, limits: Limits
) -> msgspec.Raw:
    """A field of a payload as JSON. Raises ValueInvalid, and TooLarge beyond `limits`."""
    name = part.name
    try:
        if type(value) is Encoded:  # on the worker of a run
            encoded = value.json
        else:
            kind = part.type
            encoded = encode_value(value if kind == "json" else as_json(value, kind), name)
    except ValueInvalid as error:
        error.what = _named(request, name)
        raise
    if len(encoded) > limits.value_told_bytes:
        check_value(limits, job_id, partial(_named, request, name), encoded)
    return msgspec.Raw(encoded)


def _reference(machine: Machine, event: str, field: str, payload: Values) -> msgspec.Raw:
    """Where a result is kept beside the log, as JSON. Raises PayloadInvalid if it says no such."""
    result, value = machine.roles.result, payload[field]
    if result is not None and payload.get(result.field) is not None:
        problem = f"'{result.field}' is null where '{field}' says where the result is kept"
        raise PayloadInvalid(machine=machine.name, event=event, problem=problem)
    try:
        return msgspec.Raw(msgspec.json.encode(as_stored(value)))
    except (ValueError, ArgumentInvalid) as error:
        raise PayloadInvalid(
            machine=machine.name,
            event=event,
            problem=f"field '{field}' says where a result is kept, and {shown(value)} does not:"
            f" {error}",
        ) from error


def _named(request: Request, field: str) -> str:
    """A value of a request, for messages."""
    whose = f" of item {request.item!r}" if isinstance(request, ItemEvent) else ""
    return f"payload of '{request.event}'{whose}, field '{field}'"


def _variables(
    job_id: str, machine: Machine, event: str, field: str, value: object, limits: Limits
) -> dict[str, Any]:  # Any: JSON
    if not isinstance(value, Mapping):
        raise PayloadInvalid(
            machine=machine.name,
            event=event,
            problem=f"field '{field}' is {shown(value)}: it maps names to JSON values",
        )
    encoded = encode_variables(value)
    check_value(limits, job_id, lambda: f"variables of '{event}'", encoded)
    decoded: dict[str, Any] = msgspec.json.decode(encoded)
    return decoded
