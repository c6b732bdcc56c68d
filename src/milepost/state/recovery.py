"""Recovery plans: what a job still needs, why, and what taking it up again does."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum, auto
from typing import Any, Final

from pyroaring import BitMap

from milepost.errors import JobReplaced, PlanStale
from milepost.items.inputs import Item, KeySet
from milepost.items.ledger import bitmap
from milepost.job.again import done_otherwise
from milepost.job.fold import apply
from milepost.job.state import JobState, changed
from milepost.job.suspects import let_go, lets_go_by
from milepost.lazy import called_when_used
from milepost.log.facts import Draft, ItemsFired, JobFired, Rewound
from milepost.state import checkpoint as checkpoints
from milepost.state.reading.loading import JobLog
from milepost.state.reading.results import ResultReader
from milepost.state.recovering.rewinding import WayBack, before_phase
from milepost.state.recovering.scope import Scope, select
from milepost.state.writing.decision import Decision, Moment
from milepost.state.writing.lease import Lease, check_lease
from milepost.text.wording import one_line

__all__ = ["REASONS", "Part", "RecoveryPlan", "carry_out", "draw_up", "plan", "reason_in"]


class Part(StrEnum):
    """A part of a plan: where an item is, whatever its lifecycle calls the state."""

    PENDING = auto()
    IN_FLIGHT = auto()
    RETRIABLE = auto()
    EXHAUSTED = auto()
    DEAD = auto()
    DONE = auto()
    SKIPPED = auto()
    ENDED = auto()
    UNASSIGNED = auto()
    OUTSIDE = auto()


REASONS: Final[Mapping[str, str]] = {
    Part.PENDING: "waiting for an attempt",
    Part.IN_FLIGHT: "was being worked on when its executor stopped; the attempt does not count",
    Part.RETRIABLE: "its last attempt failed and it has attempts left",
    Part.EXHAUSTED: "its last attempt failed and it is not tried again",
    Part.DEAD: "is in the dead letter queue",
    Part.DONE: "its result is recorded",
    Part.SKIPPED: "was left out on purpose",
    Part.ENDED: "is in a final state that has no role",
    Part.UNASSIGNED: "is in a state that has no role: whoever drives the job decides",
    Part.OUTSIDE: "out of scope, left as it is",
}
"""The parts of a plan, in the order in which people ask for them, each with what it means."""

_GIVEN_UP: Final = "goes to the dead letter queue"

_SOMETIMES: Final = (Part.ENDED, Part.UNASSIGNED)
"""The parts that a plan has where they hold something: no state of most lifecycles is of them."""


_ABSENT: Final = object()


@dataclass(frozen=True, slots=True, kw_only=True)
class RecoveryPlan:
    """The work that is left of a job, as of commit `seq`; nothing changes until it is applied.

    The parts (REASONS) are a partition of the items (INV-PLAN): those in `scope`, and the rest.
    `phase` is where the job is, `fence` the one that the plan was made under, `events` those that
    the job takes when the plan is applied, in order, `item_events` how many of its items take
    which; `resume_phase` is where the job then stands. With
    `rewinds_to`, everything after that commit is undone first: the results of `undone`, the job's
    own (`undoes_result`), and `undone_variables`. `state` is what the parts are of, `after` what
    the plan leaves. `fallbacks` says which checkpoints had to be passed over to make the plan; it
    is empty if none was.
    """

    job_id: str
    seq: int
    fence: int
    phase: str
    scope: Scope
    resume_phase: str
    events: tuple[str, ...]
    item_events: Mapping[str, int]
    rewinds_to: int | None
    reason: str
    fallbacks: tuple[str, ...]
    parts: Mapping[str, KeySet]
    undone: KeySet
    undone_variables: tuple[str, ...]
    undoes_result: bool
    state: JobState
    after: JobState
    way_back: WayBack | None
    members: BitMap

    def __repr__(self) -> str:
        back = "" if self.rewinds_to is None else f"back to seq {self.rewinds_to}, "
        events = ", ".join(self.events) or "no event"
        told = f"{back}{events}, then {self.resume_phase}"
        return one_line(f"<RecoveryPlan for {self.job_id} at seq {self.seq}: {told}>")

    _repr_html_ = called_when_used("milepost.inspect.notebook", "plan_html")

    @property
    def pending(self) -> KeySet:
        """Items that wait for an attempt."""
        return self.parts[Part.PENDING]

    @property
    def in_flight(self) -> KeySet:
        """Items that somebody held when the job was left."""
        return self.parts[Part.IN_FLIGHT]

    @property
    def retriable(self) -> KeySet:
        """Items that failed and have attempts left."""
        return self.parts[Part.RETRIABLE]

    @property
    def exhausted(self) -> KeySet:
        """Items that failed and have no attempt left."""
        return self.parts[Part.EXHAUSTED]

    @property
    def dead(self) -> KeySet:
        """Items in the dead letter queue."""
        return self.parts[Part.DEAD]

    @property
    def done(self) -> KeySet:
        """Items whose results are recorded."""
        return self.parts[Part.DONE]

    @property
    def skipped(self) -> KeySet:
        """Items that were left out on purpose."""
        return self.parts[Part.SKIPPED]

    @property
    def ended(self) -> KeySet:
        """Items in a final state that has no role."""
        return self._sometimes(Part.ENDED)

    @property
    def unassigned(self) -> KeySet:
        """Items in a state that has no role and is not final."""
        return self._sometimes(Part.UNASSIGNED)

    def _sometimes(self, part: Part) -> KeySet:
        found = self.parts.get(part)
        return KeySet(bitmap(), self.state.inputs) if found is None else found

    @property
    def outside(self) -> KeySet:
        """Items that the scope leaves out, and that the plan leaves as they are."""
        return self.parts[Part.OUTSIDE]

    @property
    def to_do(self) -> KeySet:
        """Items of the scope to work on once the plan is applied."""
        return KeySet(self.after.waiting & self.members, self.after.inputs)

    @property
    def variables(self) -> Mapping[str, Any]:  # Any: JSON
        """The job's variables once the plan is applied: what its earlier phases left."""
        return self.after.variables

    @property
    def results_available(self) -> KeySet:
        """Items whose results can be read once the plan is applied."""
        return KeySet(self.after.done, self.after.inputs)

    @property
    def skip_items(self) -> KeySet:
        """Items that need no more work once the plan is applied."""
        after = self.after
        return KeySet(after.done | after.dead | after.skipped | after.ended, after.inputs)

    @property
    def changes_nothing(self) -> bool:
        """True if applying it would leave the job as it is."""
        return self.rewinds_to is None and self.after is self.state

    def pending_items(self) -> Iterator[Item]:
        """Keys and values of the items to work on once the plan is applied (`to_do`), in order.

        Streamed: one block of inputs is in memory at a time.
        """
        inputs = self.after.inputs
        for ordinal in self.to_do.ordinals:
            yield Item(key=inputs.key(ordinal), value=inputs.value(ordinal))

    def reason_of(self, key: str) -> str:
        """Why the item is where it is. Raises KeyError if the job has no item of that key."""
        for name, keys in self.parts.items():
            if key in keys:
                return reason_in(self.state, name, bitmap([self.state.inputs.ordinal(key)]))
        raise KeyError(key)


def reason_in(state: JobState, name: str, members: BitMap) -> str:
    """What the part of that `name` means for `members` of it, under the job's lifecycle.

    What has no attempt left is given up where each of them has an event for that. O(collections).
    """
    if name == Part.EXHAUSTED:
        ledgers = state.ledgers.values()
        theirs = [one for one in ledgers if not members or members.intersect(one.universe)]
        if theirs and all(one.machine.roles.give_up for one in theirs):
            return f"{REASONS[name]}: {_GIVEN_UP}"
    return REASONS[name]


def draw_up(log: JobLog, scope: Scope, *, reason: str) -> RecoveryPlan:
    """The plan for a job, from the store: its newest state, and what the scope asks for of it.

    Cost: the newest checkpoint and the log after it; for what the scope asks for beyond that, see
    `select` and `before_phase`. Raises JobAbsent, CheckpointAbsent, ScopeInvalid, ItemAbsent,
    LogCorrupt.
    """
    known = None
    if scope.seq is not None:
        known = checkpoints.find(log, scope.seq).state
    loading = log.load(known)
    tip = loading.state
    way_back: WayBack | None = None
    if scope.exact and known is not None:
        way_back = WayBack(known)
    elif scope.phase is not None:
        way_back = before_phase(log, tip, scope.phase)
    members = None
    results = ResultReader(log.reader, log.entry, tip, log.url, log.payloads)
    if scope.filters:
        members = select(scope, tip, results)
    return plan(
        tip,
        way_back=way_back,
        scope=scope,
        members=members,
        reason=reason,
        fallbacks=loading.fallbacks,
        undoes_result=way_back is not None and results.job_result_after(way_back.base.seq),
    )


def plan(
    tip: JobState,
    *,
    way_back: WayBack | None = None,
    scope: Scope | None = None,
    members: BitMap | None = None,
    reason: str = "",
    fallbacks: tuple[str, ...] = (),
    undoes_result: bool = False,
) -> RecoveryPlan:
    """The plan for a job that stands at `tip`, or, with `way_back`, for going back that way.

    `members` are the items in scope, None for all; `undoes_result` says that the way back goes
    behind the job's own result. Cost: set operations on bitmaps, independent
    of how long the log is.
    """
    state = tip if way_back is None else _gone_back(tip, way_back)
    common = bitmap(range(state.inputs.in_common(tip.inputs)))
    chosen = bitmap(range(state.items.count)) if members is None else members & common
    running = _Recovering(state, chosen, gone_back=way_back is not None)
    drafts = [*(way_back.again if way_back else ()), *running.drafts(reason)]
    parts = _parts(state)
    if members is not None:
        parts = {name: found & chosen for name, found in parts.items()}
    parts[Part.OUTSIDE] = bitmap(range(state.items.count)) - chosen
    undone = tip.done - (state.done & common)
    if way_back is not None:
        undone |= done_otherwise(state, tip) & common
    return RecoveryPlan(
        job_id=tip.id,
        seq=tip.seq,
        fence=tip.fence,
        phase=tip.phase,
        scope=scope or Scope.all(),
        resume_phase=running.state.phase,
        events=tuple(d.fact.event for d in drafts if isinstance(d.fact, JobFired)),
        item_events=running.item_events,
        rewinds_to=None if way_back is None else way_back.base.seq,
        reason=reason,
        fallbacks=fallbacks,
        parts={
            name: KeySet(parts[name], state.inputs)
            for name in REASONS
            if name not in _SOMETIMES or parts[name]
        },
        undone=KeySet(undone, tip.inputs),
        undone_variables=tuple(
            name
            for name in sorted({*tip.variables, *state.variables})
            if tip.variables.get(name, _ABSENT) != state.variables.get(name, _ABSENT)
        ),
        undoes_result=undoes_result,
        state=state,
        after=running.state,
        way_back=way_back,
        members=chosen,
    )


def carry_out(wanted: RecoveryPlan, *, lease: Lease | None, operator: bool) -> Decision:
    """The decision that does what the plan says, in one commit.

    Raises PlanStale if the job has moved on since, JobReplaced if it is another's, and as
    `check_lease` does.
    """

    def decision(moment: Moment) -> Iterator[Draft]:
        if moment.log.number != wanted.state.number:
            what = f"the plan made at seq {wanted.seq}"
            raise JobReplaced(job_id=wanted.job_id, url=moment.log.url, what=what)
        check_lease(moment, lease, operator=operator, wants=lambda: (_takes_over(moment), []))
        if moment.state.seq != wanted.seq:
            raise PlanStale(job_id=wanted.job_id, plan_seq=wanted.seq, seq=moment.state.seq)
        if wanted.way_back is not None:
            base = wanted.way_back.base
            fact = Rewound(to_seq=base.seq, snapshot=base.snapshot(), reason=wanted.reason)
            yield Draft(fact=fact)
            yield from wanted.way_back.again
        state = moment.state
        if wanted.way_back is not None:
            state = _gone_back(state, wanted.way_back)
        gone_back = wanted.way_back is not None
        recovering = _Recovering(state, wanted.members, gone_back=gone_back)
        yield from recovering.drafts(wanted.reason)

    return decision


def _takes_over(moment: Moment) -> str:
    """The event of the job by which another executor takes over, for the record."""
    recover = moment.state.roles.recover
    return "" if recover is None else recover.event


def _parts(state: JobState) -> dict[str, BitMap]:
    """All items by the part that they are in, but for a scope."""
    retriable = state.retriable
    return {
        Part.PENDING: state.waiting,
        Part.IN_FLIGHT: state.held,
        Part.RETRIABLE: retriable,
        Part.EXHAUSTED: state.failed - retriable,
        Part.DEAD: state.dead,
        Part.DONE: state.done,
        Part.SKIPPED: state.skipped,
        Part.ENDED: state.ended,
        Part.UNASSIGNED: state.unassigned,
    }


def _gone_back(tip: JobState, way_back: WayBack) -> JobState:
    """The state once the rewind and what follows on it have taken place."""
    then = way_back.base
    state = changed(
        tip,
        phase=then.phase,
        context=then.context,
        variables=then.variables,
        items=then.items,
        inputs=then.inputs,
        spans=then.spans,
        fingerprint=then.fingerprint,
    )
    for draft in way_back.again:
        state = apply(state, draft.fact)
    return state


class _Recovering:
    """Walks a job's state through what recovery does to the items in scope, collecting facts.

    Of what is in flight in a state that was `gone_back` to nobody died: it was so at that moment.
    """

    def __init__(self, state: JobState, members: BitMap, *, gone_back: bool) -> None:
        self.state = state
        self._lost = state.executor_lost and not gone_back
        self.item_events: dict[str, int] = {}
        self._members = members
        self._drafts: list[Draft] = []

    def drafts(self, reason: str) -> list[Draft]:
        """The facts that take the job up again from where it was left."""
        taken_up_by = self.state.roles.resume.get(self.state.phase)
        if taken_up_by is not None:
            self._take(JobFired(taken_up_by, {}))
        working = self.state.roles.working or self.state.machine.states
        if self.state.phase in working and not self.state.finished:
            self._let_go(reason)
        for role in ("retry", "give_up"):
            for event, hit in self.state.takers_of(role):
                self._fire(event, hit & self._members)
        return self._drafts

    def _let_go(self, reason: str) -> None:
        """Take the items in flight out of the hands that they were in."""
        for name, event in lets_go_by(self.state, lost=self._lost).items():
            ledger = self.state.ledgers[name]
            self._count(event, ledger.members(*ledger.machine.roles.held) & self._members)
        for draft in let_go(self.state, self._members, reason, lost=self._lost):
            self._drafts.append(draft)
            self.state = apply(self.state, draft.fact)

    def _fire(self, event: str, hit: BitMap) -> None:
        if hit:
            self._count(event, hit)
            self._take(ItemsFired(event, list(hit)))

    def _count(self, event: str, hit: BitMap) -> None:
        if hit:
            self.item_events[event] = self.item_events.get(event, 0) + len(hit)

    def _take(self, fact: JobFired | ItemsFired) -> None:
        self.state = apply(self.state, fact)
        self._drafts.append(Draft(fact=fact))
