"""Recovery plans: what a job still needs, why, and what taking it up again does."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from milepost.errors import JobReplaced, PlanStale
from milepost.facts import Draft, ItemsFired, JobFired, Rewound
from milepost.fold import apply
from milepost.inputs import Item, KeySet
from milepost.job import JobState
from milepost.state.append import Decision, Moment
from milepost.state.lease import Lease, check_lease

__all__ = ["REASONS", "RecoveryPlan", "carry_out", "plan"]

REASONS: Final[Mapping[str, str]] = {
    "pending": "waiting for an attempt",
    "in_flight": "was being worked on when its executor stopped; the attempt counts",
    "retriable": "its last attempt failed and it has attempts left",
    "exhausted": "its last attempt failed and it has none left: goes to the dead letter queue",
    "dead": "is in the dead letter queue",
    "done": "its result is recorded",
    "skipped": "was left out on purpose",
}
"""The parts of a plan, in the order in which people ask for them, each with what it means."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecoveryPlan:
    """What is left to do of a job, as of commit `seq`; nothing is changed until it is applied.

    The parts (REASONS) are a partition of the items (INV-PLAN). `events` are those that the job
    takes when the plan is applied, in order; `resume_phase` is where it then stands. With
    `rewinds_to`, everything after that commit is undone first. `fallbacks` says which
    checkpoints had to be passed over to make the plan; it is empty if none was.
    """

    job_id: str
    seq: int
    fence: int
    resume_phase: str
    events: tuple[str, ...]
    rewinds_to: int | None
    reason: str
    fallbacks: tuple[str, ...]
    parts: Mapping[str, KeySet]
    state: JobState
    after: JobState

    @property
    def pending(self) -> KeySet:
        """Items that wait for an attempt."""
        return self.parts["pending"]

    @property
    def in_flight(self) -> KeySet:
        """Items that somebody held when the job was left."""
        return self.parts["in_flight"]

    @property
    def retriable(self) -> KeySet:
        """Items that failed and have attempts left."""
        return self.parts["retriable"]

    @property
    def exhausted(self) -> KeySet:
        """Items that failed and have no attempt left."""
        return self.parts["exhausted"]

    @property
    def dead(self) -> KeySet:
        """Items in the dead letter queue."""
        return self.parts["dead"]

    @property
    def done(self) -> KeySet:
        """Items whose results are recorded."""
        return self.parts["done"]

    @property
    def skipped(self) -> KeySet:
        """Items that were left out on purpose."""
        return self.parts["skipped"]

    @property
    def skip_items(self) -> KeySet:
        """Items that need no more work once the plan is applied."""
        return self.after.keys_in("done", "dead", "skipped")

    @property
    def changes_nothing(self) -> bool:
        """True if applying it would leave the job as it is."""
        return self.rewinds_to is None and self.after is self.state

    def pending_items(self) -> Iterator[Item]:
        """Keys and values of the items to work on once the plan is applied, in item order.

        Streamed: one block of inputs is in memory at a time.
        """
        inputs = self.after.inputs
        for ordinal in self.after.items.members("pending"):
            yield Item(key=inputs.key(ordinal), value=inputs.value(ordinal))

    def reason_of(self, key: str) -> str:
        """Why the item is where it is. Raises KeyError if the job has no item of that key."""
        for name, keys in self.parts.items():
            if key in keys:
                return REASONS[name]
        raise KeyError(key)


def plan(
    tip: JobState,
    *,
    base: JobState | None = None,
    reason: str = "",
    fallbacks: tuple[str, ...] = (),
) -> RecoveryPlan:
    """The plan for a job that stands at `tip`, or, with `base`, for going back to that state of it.

    Cost: set operations on bitmaps, independent of how long the log is.
    """
    state = tip if base is None else base
    running = _Recovering(state)
    drafts = running.drafts(reason)
    failed = state.items.members("failed")
    retriable = state.items.enabled("retry")
    members = {
        "pending": state.items.members("pending"),
        "in_flight": state.items.members("running"),
        "retriable": retriable,
        "exhausted": failed - retriable,
        "dead": state.items.members("dead"),
        "done": state.items.members("done"),
        "skipped": state.items.members("skipped"),
    }
    return RecoveryPlan(
        job_id=tip.id,
        seq=tip.seq,
        fence=tip.fence,
        resume_phase=running.state.phase,
        events=tuple(d.fact.event for d in drafts if isinstance(d.fact, JobFired)),
        rewinds_to=None if base is None else base.seq,
        reason=reason,
        fallbacks=fallbacks,
        parts={name: KeySet(members[name], state.inputs) for name in REASONS},
        state=state,
        after=running.state,
    )


def carry_out(wanted: RecoveryPlan, *, lease: Lease | None, operator: bool) -> Decision:
    """The decision that does what the plan says, in one commit.

    Raises PlanStale if the job has moved on since, JobReplaced if it is another's, and as
    `check_lease` does.
    """

    def decision(moment: Moment) -> Iterator[Draft]:
        if moment.job.number != wanted.state.number:
            what = f"the plan made at seq {wanted.seq}"
            raise JobReplaced(job_id=wanted.job_id, url=moment.url, what=what)
        check_lease(moment, lease, operator=operator, wants=lambda: ("recover", []))
        if moment.state.seq != wanted.seq:
            raise PlanStale(job_id=wanted.job_id, plan_seq=wanted.seq, seq=moment.state.seq)
        if wanted.rewinds_to is not None:
            snapshot = wanted.state.snapshot()
            fact = Rewound(to_seq=wanted.rewinds_to, snapshot=snapshot, reason=wanted.reason)
            yield Draft(fact=fact)
        yield from _Recovering(wanted.state).drafts(wanted.reason)

    return decision


class _Recovering:
    """Walks a state through what recovery does to it, collecting the facts."""

    def __init__(self, state: JobState) -> None:
        self.state = state
        self._drafts: list[Draft] = []

    def drafts(self, reason: str) -> list[Draft]:
        """The facts that take the job up again from where it was left."""
        body: dict[str, Any] | None = {"reason": reason} if reason else None
        if self.state.phase == "failed":
            self._take(JobFired("retry", {}))
        elif self.state.phase == "paused":
            self._take(JobFired("resume", {}))
        active = self.state.phase in self.state.machine.groups["active"]
        if active and (self.state.orphaned or self.state.items.members("running")):
            self._take(JobFired("recover", {}), body)
        for event in ("retry", "give_up"):
            hit = self.state.takers(event)
            if hit:
                self._take(ItemsFired(event, list(hit)))
        return self._drafts

    def _take(self, fact: JobFired | ItemsFired, body: dict[str, Any] | None = None) -> None:
        self.state = apply(self.state, fact)
        self._drafts.append(Draft(fact=fact, body=body))
