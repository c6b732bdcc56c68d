"""The words of one run: the events and fields of the job's lifecycle that it acts by, by role.

They are looked up once, before a run begins, so that a turn of the run asks no role. Pure.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Any, Literal, TypeAlias

import msgspec
from pyroaring import BitMap

from milepost.items.ledger import bitmap
from milepost.job.state import JobState
from milepost.machine import Machine, PayloadInvalid
from milepost.roles import Deferral, EventField, Note
from milepost.worker.attempts import MapFn
from milepost.worker.failures import failure_of
from milepost.worker.outcomes import Deferred, Fault, Given, NotGiven, Outcome

__all__ = [
    "Failing",
    "ItemFn",
    "ItemWords",
    "Left",
    "MapFn",
    "PhaseFn",
    "PhaseFns",
    "PhaseWords",
    "Vocabulary",
    "union",
]

ItemFn: TypeAlias = MapFn | Mapping[str, MapFn]
"""The function for all items, or those for the items of each collection."""

PhaseFn: TypeAlias = Callable[..., object]
"""The function for a phase: see `run`."""

PhaseFns: TypeAlias = Mapping[str, PhaseFn]
"""The functions for phases, by the state of the phase."""

Output: TypeAlias = Literal["result", "variables", "payload", "nothing"]
"""What becomes of the output of a phase's function: the role of its place, if it has one."""


class Left(Enum):
    """How an attempt ended of which nothing came back."""

    UNHARMED = auto()
    LOST = auto()


def _instead(left: Left, why: str) -> NotGiven:
    """What is recorded of it under a lifecycle that has no event for that."""
    if left is Left.UNHARMED:
        return NotGiven(fault=Fault.ERROR, message="handed back before it had ended")
    message = f"its executor died ({why})" if why else "its executor died"
    return NotGiven(fault=Fault.LOST, message=message)


@dataclass(frozen=True, slots=True, kw_only=True)
class Failing:
    """The event that says that work failed, and how its payload says why; `""` for no field."""

    event: str
    cause: str
    message: str
    causes: Mapping[Fault, str]
    kind: str = ""
    details: str = ""
    permanent: str = ""

    def payload(self, why: NotGiven) -> dict[str, Any]:
        """The payload that says `why`, as far as the event has fields for it."""
        payload: dict[str, Any] = {}
        if self.cause:
            payload[self.cause] = self.causes[why.fault]
        if self.message:
            payload[self.message] = why.message
        if self.kind:
            payload[self.kind] = why.kind
        if self.details:
            payload[self.details] = why.details
        if self.permanent:
            payload[self.permanent] = why.permanent
        return payload


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemWords:
    """How a run acts on the items of one collection; what the lifecycle has no role for is empty.

    `call` is the function for them, None where others work on them. `left` gives the event by
    which an item leaves the hands, by how it left them; where there is none, it has failed. `typed`
    says that a result is not any JSON.
    """

    collection: str
    machine: Machine
    accepts: Mapping[str, tuple[str, ...]]
    call: MapFn | None
    begin: str
    result: EventField | None
    stored: EventField | None
    typed: bool
    failing: Failing | None
    left: Mapping[Left, str]
    crash: EventField | None
    defer: Deferral | None
    note: Note | None
    redone: str
    retry: str
    give_up: str
    held: tuple[str, ...]
    attempts: str
    suspect: str
    crashes: str
    max_crashes: str
    _ignoring: dict[str, tuple[str, ...]] = field(default_factory=dict, init=False, repr=False)

    @property
    def counts_no_deaths(self) -> bool:
        """True if nothing in the lifecycle bounds how many executors die of an item."""
        return not self.suspect and self.crash is None

    def takers(self, state: JobState, event: str) -> BitMap:
        """The items of the collection that would take `event` now; none of `""`. O(cells)."""
        if not event or event not in self.accepts.get(state.phase, ()):
            return bitmap()
        return state.ledgers[self.collection].enabled(event)

    def movers(self, state: JobState, event: str) -> BitMap:
        """As `takers`, without those that ignore it: it would change nothing, again and again."""
        accepted = event in self.accepts.get(state.phase, ())
        return self.would_move(state, event) if accepted else bitmap()

    def would_move(self, state: JobState, event: str) -> BitMap:
        """As `movers`, in this phase or in any other that accepts the event."""
        if event not in self._ignoring:
            pairs = {name: self.machine.of_pair(name, event) for name in self.machine.states}
            self._ignoring[event] = tuple(
                name for name, rows in pairs.items() if any(row.ignored for row in rows)
            )
        ignoring, ledger = self._ignoring[event], state.ledgers[self.collection]
        found = ledger.enabled(event)
        return found - ledger.members(*ignoring) if ignoring else found

    def takes_back(self, state: JobState, ordinals: Iterable[int]) -> bool:
        """True if these items, which are held, can all be handed back as they were. O(cells)."""
        return bitmap(ordinals) <= self.movers(state, self.machine.roles.release)

    def fitting(self, outcome: Outcome | Left) -> Outcome | Left:
        """`outcome`, or a failure where a result is not of the type that the lifecycle wants."""
        if self.result is None or not self.typed or not isinstance(outcome, Given):
            return outcome
        try:
            self.machine.payload(self.result.event, {self.result.field: outcome.value})
        except PayloadInvalid as error:
            return failure_of(error, permanent=True)
        return outcome

    def event_of(
        self, ended: Outcome | Left, now_us: int = 0, why: str = ""
    ) -> tuple[str, dict[str, Any] | None]:
        """The event and payload that say how an attempt ended, at `now_us` by the wall clock.

        `why` says more of one that is lost.
        """
        if isinstance(ended, Given):
            assert self.result is not None, "nothing begins without"
            name = self.result.field
            if ended.stored is not None:
                assert self.stored is not None, "nothing is kept beside the log without"
                where = msgspec.to_builtins(ended.stored)
                return self.result.event, {name: None, self.stored.field: where}
            return self.result.event, {name: ended.value} if name else None
        if isinstance(ended, Left):
            event = self.left.get(ended)
            if event:
                return event, None
            ended = _instead(ended, why)
        if isinstance(ended, Deferred) and self.defer is not None:
            return self.defer.event, self._deferral(self.defer, ended, now_us)
        if isinstance(ended, Deferred):
            event = self.left.get(Left.UNHARMED)
            if event:
                return event, None
            ended = NotGiven(fault=Fault.ERROR, message=ended.message, kind="Later")
        assert self.failing is not None, "nothing begins without"
        return self.failing.event, self.failing.payload(ended)

    def _deferral(self, role: Deferral, later: Deferred, now_us: int) -> dict[str, Any]:
        told = {
            role.until: now_us + int(later.after_s * 1_000_000),
            role.everyone: later.everyone,
            role.message: later.message,
        }
        return {name: value for name, value in told.items() if name}

    def marked(self, state: JobState, role: Deferral | Note | None) -> BitMap:
        """The items that `role` marks now; none where it marks none."""
        if role is None or not role.marks:
            return bitmap()
        return state.ledgers[self.collection].marked(role.marks)


@dataclass(frozen=True, slots=True, kw_only=True)
class PhaseWords:
    """How a run gets through one phase of the job.

    `call` is the function for it; a phase that `passes` needs none. What the function gives goes
    into the ending event as `output` says, into `field` where that is one; `typed` says that this
    is not any JSON. It reads the results of items if `reads_results`, otherwise the job's state.
    """

    state: str
    ends_by: str
    works: tuple[str, ...]
    call: PhaseFn | None
    passes: bool
    output: Output
    field: str
    typed: bool
    reads_results: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Vocabulary:
    """How a run acts on one job: its phases by state, and its items by collection."""

    phases: Mapping[str, PhaseWords]
    items: tuple[ItemWords, ...]
    failing: Failing | None
    set_variables: EventField | None

    def of(self, state: JobState, ordinal: int) -> ItemWords:
        """The words for one item. O(1) where the job has one collection."""
        if len(self.items) == 1:
            return self.items[0]
        collection = state.collection_of(ordinal)
        return next(words for words in self.items if words.collection == collection)

    def ready(self, state: JobState) -> BitMap:
        """The items that would begin now, of those that a function was given for."""
        return union(each.movers(state, each.begin) for each in self.items if each.call is not None)

    def to_do(self, state: JobState) -> bool:
        """True if a call of some item is to come, in this phase or in a later one."""
        return any(
            each.would_move(state, each.begin) or each.would_move(state, each.retry)
            for each in self.items
            if each.call is not None
        )

    def held(self, state: JobState) -> BitMap:
        """The items that are in somebody's hands."""
        return union(state.ledgers[each.collection].members(*each.held) for each in self.items)

    def retriable(self, state: JobState) -> BitMap:
        """The items that failed and would be tried again."""
        return union(each.movers(state, each.retry) for each in self.items)

    def most_crashes(self, state: JobState) -> int:
        """How many executors may die of an item, of any collection; 0 where that is not counted."""
        return max(
            (
                state.ledgers[each.collection].params[each.max_crashes]
                for each in self.items
                if each.max_crashes
            ),
            default=0,
        )

    def records_in(self, phase: str) -> bool:
        """True if the result of some item may be recorded in `phase`."""
        return any(
            words.result is not None and words.result.event in words.accepts.get(phase, ())
            for words in self.items
        )


def union(parts: Iterable[BitMap]) -> BitMap:
    """The items that are in any of `parts`; one alone is not copied."""
    found = list(parts)
    if len(found) == 1:
        return found[0]
    return BitMap.union(*found) if found else bitmap()
