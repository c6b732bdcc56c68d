"""JobState: the state of one job as a value, and its bytes in a checkpoint."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, fields
from datetime import datetime
from functools import cached_property
from typing import Any, Final, Literal, TypeAlias, get_args

from pyroaring import BitMap

from milepost import arguments
from milepost.clock import instant
from milepost.errors import RoleAbsent
from milepost.items.inputs import Inputs, KeySet, Spans
from milepost.items.ledger import Ledger, bitmap
from milepost.items.ledgers import Items, united
from milepost.items.parts import Parts, parts_of
from milepost.job.progress import Progress
from milepost.job.versions import Catalogue
from milepost.lazy import called_when_used
from milepost.log.codec import Tally, encode_snapshot
from milepost.log.facts import CheckpointTaken, JobCreated, Snapshot, snapshot_format
from milepost.machine import Lifecycle, Machine, Values, frozen
from milepost.roles import Roles
from milepost.text.wording import items_counted, one_line, short_repr

__all__ = [
    "CheckpointRef",
    "JobState",
    "MemberRole",
    "changed",
    "own_context",
]

MemberRole: TypeAlias = Literal[
    "begin",
    "result",
    "failure",
    "release",
    "lost",
    "crash",
    "retry",
    "give_up",
    "requeue",
    "redo",
    "skip",
]
"""The roles of events that members take."""

StandingRole: TypeAlias = Literal["dead", "attempts"]
"""The roles of states and variables of members that something can need."""

_MEMBER_ROLES: Final[tuple[str, ...]] = get_args(MemberRole)
_NEEDED_ROLES: Final[tuple[str, ...]] = (*_MEMBER_ROLES, *get_args(StandingRole))


@short_repr
@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class CheckpointRef:
    """The log's entry about a checkpoint: its seq, its reason, its time and its digest."""

    seq: int
    reason: str
    checksum: str
    taken_at: datetime


@dataclass(frozen=True, kw_only=True)
class JobState:
    """The state of one job after commit `seq`, for ever: the fold of its log up to there.

    `phase` is the state of the machine that the job runs by, `context` its variables and
    parameters. `items` are the members that it owns: a Ledger where its lifecycle has one
    collection, and otherwise what answers for several or none; `ledgers` has them one by one.
    `owner` is who holds the lease, None where nobody does; `fence` counts acquisitions and never
    falls. `orphaned` says that a holder was taken over and the job has not been recovered since;
    `unharmed` that no holder since then died, as far as is known.
    `variables` are the job's own JSON values. `number` is the job's in its store: no job has had
    it before, even under the same id. `fingerprint` is of the items that it has, with those that
    were added; `spans` says where they stand among all that were ever stored for the job.
    Two states are equal if they fold to the same.
    Of a job that was left under an earlier version of its lifecycle, `as_logged` is the state by
    that version; the next commit records the change.
    """

    id: str
    seq: int
    fence: int
    phase: str
    context: Values
    variables: Mapping[str, Any]  # Any: JSON
    items: Items
    created: JobCreated
    created_at_us: int
    updated_at_us: int
    owner: str | None = None
    orphaned: bool = False
    unharmed: bool = field(default=False, compare=False)  # of no log from before it was told
    checkpoint_fact: CheckpointTaken | None = None
    checkpoint_at_us: int = 0
    rewinds: tuple[tuple[int, int], ...] = ()
    rejected_count: int = 0
    digest: bytes = b""
    fingerprint: str = ""
    spans: Spans = ((0, 0),)
    number: int = field(default=0, compare=False, repr=False)
    lifecycle: Lifecycle = field(compare=False, repr=False)
    tables: Catalogue = field(compare=False, repr=False)
    inputs: Inputs = field(compare=False, repr=False)
    as_logged: JobState | None = field(default=None, compare=False, repr=False)

    def __repr__(self) -> str:
        told = f"{self.phase} at seq {self.seq}, {items_counted(self.items.count)}"
        holder = "" if self.owner is None else f", held by {self.owner} (fence {self.fence})"
        return one_line(f"<JobState {self.id}: {told}{holder}>")

    _repr_html_ = called_when_used("milepost.inspect.notebook", "state_html")

    @property
    def machine(self) -> Machine:
        """The machine that the job runs by: the one that no collection is of."""
        return self.lifecycle.machines[self.lifecycle.root]

    @property
    def roles(self) -> Roles:
        """The roles of the machine that the job runs by."""
        return self.machine.roles

    @property
    def ledgers(self) -> Mapping[str, Ledger]:
        """The items by the name of their collection, in definition order."""
        items = self.items
        if isinstance(items, Ledger):
            return dict.fromkeys(self.machine.collections, items)
        return items.by_name

    @property
    def created_at(self) -> datetime:
        """When the job was created, aware UTC."""
        return instant(self.created_at_us)

    @property
    def updated_at(self) -> datetime:
        """When its newest commit was written, aware UTC."""
        return instant(self.updated_at_us)

    @property
    def finished(self) -> bool:
        """True in a final phase: nothing more will happen to the job."""
        return self.phase in self.machine.final

    @property
    def checkpoint(self) -> CheckpointRef | None:
        """The newest checkpoint that the log knows of."""
        if self.checkpoint_fact is None:
            return None
        return CheckpointRef(
            seq=self.checkpoint_fact.seq,
            reason=self.checkpoint_fact.reason,
            checksum=self.checkpoint_fact.digest,
            taken_at=instant(self.checkpoint_at_us),
        )

    @cached_property
    def progress(self) -> Progress:
        """The items by the roles of their states. O(cells)."""
        return Progress.of(
            (
                parts_of(ledger.machine),
                dict(zip(ledger.machine.states, ledger.counts(), strict=True)),
            )
            for ledger in self.ledgers.values()
        )

    @property
    def waiting(self) -> BitMap:
        """The ordinals of the items that wait for an attempt. O(cells), as all sets by role."""
        return self._in(lambda parts: parts.waiting)

    @property
    def held(self) -> BitMap:
        """The ordinals of the items that are in an executor's hands."""
        return self._in(lambda parts: parts.held)

    @property
    def done(self) -> BitMap:
        """The ordinals of the items whose results are recorded."""
        return self._in(lambda parts: parts.done)

    @property
    def failed(self) -> BitMap:
        """The ordinals of the items that failed, with nothing decided yet."""
        return self._in(lambda parts: parts.failed)

    @property
    def dead(self) -> BitMap:
        """The ordinals of the items that were given up, with a way back."""
        return self._in(lambda parts: parts.dead)

    @property
    def skipped(self) -> BitMap:
        """The ordinals of the items that were left out on purpose."""
        return self._in(lambda parts: parts.skipped)

    @property
    def ended(self) -> BitMap:
        """The ordinals of the items in final states that have no role."""
        return self._in(lambda parts: parts.ended)

    @property
    def unassigned(self) -> BitMap:
        """The ordinals of the items in states that have no role and are not final."""
        return self._in(lambda parts: parts.unassigned)

    @property
    def retriable(self) -> BitMap:
        """The ordinals of the items that failed and would be tried again, by their own guards."""
        ledgers = self.ledgers.values()
        return united(
            ledger.members(*parts_of(ledger.machine).failed) & ledger.enabled(roles.retry)
            for ledger in ledgers
            if (roles := ledger.machine.roles).retry
        )

    @property
    def processed_items(self) -> KeySet:
        """The keys of the items whose results are recorded.

        Raises:
            RoleAbsent: The lifecycle records no results.
        """
        self.require("result", "processed_items")
        return KeySet(self.done, self.inputs)

    @property
    def failed_items(self) -> tuple[str, ...]:
        """The keys of the items that failed or were given up, in item order.

        Raises:
            RoleAbsent: The lifecycle records no failures.
        """
        self.require("failure", "failed_items")
        return tuple(KeySet(self.failed | self.dead, self.inputs))

    def require(self, role: MemberRole | StandingRole, needed_by: str) -> None:
        """Refuse unless some of the items have that role.

        Args:
            role: The name of a role of members.
            needed_by: The method that needs it, for the message.

        Raises:
            RoleAbsent: None have it, or the lifecycle has no items.
            ArgumentInvalid: There is no such role of members.
        """
        arguments.choice("role", role, _NEEDED_ROLES)
        machines = [ledger.machine for ledger in self.ledgers.values()]
        if not any(getattr(machine.roles, role) for machine in machines):
            machine = machines[0] if machines else None
            raise RoleAbsent.at(self.lifecycle, machine, role, needed_by)

    @property
    def tally(self) -> Tally:
        """Where the job stands, as every row of its log says."""
        return Tally(phase=self.phase, items=self.items.counts())

    @property
    def guarded(self) -> Values:
        """The values that the job's guards read: its context, and the number of items by state."""
        entries: dict[str, Any] = dict(self.context)
        for collection, ledger in self.ledgers.items():
            for name, count in zip(ledger.machine.states, ledger.counts(), strict=True):
                entries[f"{collection}.{name}"] = count
            entries[f"{collection}.total"] = ledger.count
        return entries

    def keys_in(self, *states: str) -> KeySet:
        """The keys of the items in any of `states`."""
        return KeySet(self.items.members(*states), self.inputs)

    def item(self, key: str) -> tuple[str, Values]:
        """The state and context of one item. Raises KeyError if the job has no item of that key."""
        return self.items.member(self.inputs.ordinal(key))

    def allowed(self) -> tuple[str, ...]:
        """The events that the job would take now, guards included."""
        return self.machine.enabled(self.phase, self.guarded)

    @property
    def accepted(self) -> tuple[str, ...]:
        """The events of items that the job takes in its phase, of whichever collection."""
        collections = self.machine.collections.values()
        return tuple(dict.fromkeys(e for c in collections for e in c.accepts.get(self.phase, ())))

    def accepted_of(self, collection: str) -> tuple[str, ...]:
        """The events that the job takes in its phase of the items of one collection."""
        return self.machine.collections[collection].accepts.get(self.phase, ())

    def ledger_of(self, ordinal: int) -> Ledger:
        """The ledger of the collection that the item is of. Raises KeyError if there is none."""
        return self.ledgers[self.collection_of(ordinal)]

    def collection_of(self, ordinal: int) -> str:
        """The name of the collection that the item is of. Raises KeyError if there is none."""
        if not isinstance(self.items, Ledger):
            return self.items.collection_of(ordinal)
        if not 0 <= ordinal < self.items.count:
            raise KeyError(ordinal)
        return next(iter(self.machine.collections))

    def roles_of(self, ordinal: int) -> Roles:
        """The roles of the machine that the item runs by. Raises KeyError if there is none."""
        return self.ledger_of(ordinal).machine.roles

    @property
    def takes_items(self) -> bool:
        """True if items may be added now, to some collection, by what the definition says.

        Where it says nothing: in the phase that the job begins in, and in those that accept every
        event that an item in its initial state could take.
        """
        return self.phase in self.growing_phases

    @property
    def growing_phases(self) -> tuple[str, ...]:
        """The phases in which items may be added to some collection, in definition order."""
        growing = {phase for name in self.ledgers for phase in self.growing_phases_of(name)}
        return tuple(phase for phase in self.machine.states if phase in growing)

    def growing_phases_of(self, collection: str) -> tuple[str, ...]:
        """The phases in which items may be added to one collection, in definition order."""
        tables = self.machine.collections[collection]
        if tables.grows is not None:
            return tables.grows
        item = self.ledgers[collection].machine
        begun_by = {row.event for row in item.transitions if row.source == item.initial}
        accepts = tables.accepts
        return tuple(
            phase
            for phase in self.machine.states
            if phase not in self.machine.final
            and (phase == self.machine.initial or begun_by.issubset(accepts.get(phase, ())))
        )

    @property
    def executor_lost(self) -> bool:
        """True if whoever had the items that are in flight died, for all that the log tells.

        False if it gave the job back, or was alive when the job was taken from it.
        """
        if self.owner is None and not self.orphaned:
            return self.fence == 0
        return not self.unharmed

    @property
    def suspects(self) -> BitMap:
        """The ordinals of the items that wait and were in flight when an executor died.

        They are to begin one at a time, alone, so that the next death names the one. O(cells).
        """
        found: list[BitMap] = []
        for name, ledger in self.ledgers.items():
            roles = ledger.machine.roles
            marked = ledger.marked(roles.suspect)
            if marked and roles.begin in self.accepted_of(name):
                found.append(marked & ledger.enabled(roles.begin))
        return united(found)

    def takers(self, event: str) -> BitMap:
        """The ordinals of the items that would take `event` now, guards included. O(cells)."""
        return united(
            ledger.enabled(event)
            for name, ledger in self.ledgers.items()
            if event in self.accepted_of(name)
        )

    def takers_of(self, role: MemberRole) -> Iterator[tuple[str, BitMap]]:
        """The event of each collection that has the `role`, and who would take it now. O(cells).

        Collection by collection, guards and what the phase accepts included; the set is empty
        where nobody would. What is left to do is asked for like this.

        Args:
            role: The name of a role of members.

        Raises:
            ArgumentInvalid: There is no such role of members.
        """
        arguments.choice("role", role, _MEMBER_ROLES)
        return self._takers_of(role)

    def _takers_of(self, role: str) -> Iterator[tuple[str, BitMap]]:
        for name, ledger in self.ledgers.items():
            named = getattr(ledger.machine.roles, role)
            event = named if isinstance(named, str) else named.event if named else ""
            if event:
                accepted = event in self.accepted_of(name)
                yield event, ledger.enabled(event) if accepted else bitmap()

    def _in(self, part: Callable[[Parts], tuple[str, ...]]) -> BitMap:
        """The items in the states of that part."""
        items = self.items
        if isinstance(items, Ledger):
            return items.members(*part(parts_of(items.machine)))
        each = items.by_name.values()
        return united(ledger.members(*part(parts_of(ledger.machine))) for ledger in each)

    @property
    def item_params(self) -> dict[str, Any]:
        """The parameters that items share; with several collections, by the name of each."""
        if isinstance(self.items, Ledger):
            return dict(self.items.params)
        return {name: dict(ledger.params) for name, ledger in self.items.by_name.items()}

    def snapshot(self) -> bytes:
        """The state as bytes, without inputs and results."""
        return encode_snapshot(
            Snapshot(
                format=snapshot_format(several=not isinstance(self.items, Ledger)),
                job_id=self.id,
                seq=self.seq,
                fence=self.fence,
                digest=self.digest,
                created=self.created,
                created_at_us=self.created_at_us,
                updated_at_us=self.updated_at_us,
                phase=self.phase,
                context=dict(self.context),
                variables=dict(self.variables),
                cells=self.items.dump(),
                owner=self.owner,
                orphaned=self.orphaned,
                rewinds=list(self.rewinds),
                checkpoint=self.checkpoint_fact,
                checkpoint_at_us=self.checkpoint_at_us,
                rejected_count=self.rejected_count,
                lifecycle=self.lifecycle.digest,
                item_params=self.item_params,
                item_count=self.items.count,
                fingerprint=self.fingerprint,
                spans=list(self.spans),
                unharmed=self.unharmed,
            )
        )


def changed(state: JobState, **values: Any) -> JobState:
    """`state` with other `values` of its fields: `dataclasses.replace` at a fifth of its cost.

    One is made for every fact that is decided or replayed. The fields are copied as one dict.
    """
    fields_after = state.__dict__ | values
    fields_after.pop("progress", None)  # worked out from the items that it had
    assert len(fields_after) == _FIELDS, "a state has no other fields"
    after = object.__new__(JobState)
    object.__setattr__(after, "__dict__", fields_after)
    return after


_FIELDS: Final = len(fields(JobState))


def own_context(machine: Machine, context: Values) -> Values:
    """`context` without the counts, which are the items' to tell."""
    owned, counts = machine.owned, machine.entries
    return frozen({n: value for n, value in context.items() if n in owned or n not in counts})
