"""The real manager on SQLite against the reference interpreter, under random rules."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterable
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from milepost import (
    ItemEvent,
    JobEvent,
    JobState,
    Lease,
    LeaseHeld,
    LeaseLost,
    RecordConflict,
    StateError,
    StateManager,
    TransitionRefused,
    Write,
)
from milepost.errors import ItemExists, ItemsRefused, PlanStale
from milepost.state.checkpoint import KEPT
from milepost.testing import FakeClock
from tests.postgres import needs_postgres, new_url

from .observing import check_partition, crash_image, folded_from_nothing, observed
from .reference import ITEM, JOB, ReferenceJob, Refused, Table

JOB_ID = "job"
ITEMS = 4
TTL_S = 10.0

managers = st.integers(0, 1)
MOST = ITEMS + 6
ordinals = st.integers(0, MOST - 1)  # taken modulo what there is
results = st.sampled_from([{"n": 1}, {"n": 2}, [1, "two", None]])


def payload_of(event: str, result: Any, of: Table = ITEM) -> dict[str, Any]:
    """A payload with all that any event may ask for, cut down to what this one does."""
    given: dict[str, Any] = {
        "succeed": {"result": result},
        "fail": {"cause": "timeout", "message": "no answer", "permanent": result == {"n": 2}},
        "crash": {"message": "it died"},
        "defer": {"until": 5, "everyone": result == {"n": 1}},
        "note": {"note": result},
        "redo": {"reason": "its input was wrong"},
        "allow_dead": {"more": 0 if result == {"n": 2} else 1},
        "start_map": {"variables": {"from": "setup"}},
        "finish_reduce": {"result": result},
        "set_variables": {"variables": {"n": result}},
    }.get(event, {})
    return {name: value for name, value in given.items() if name in of.payloads[event]}


class Jobs(RuleBasedStateMachine):
    """Two managers on one store, their leases, and a reference that is told the same."""

    def __init__(self) -> None:
        super().__init__()
        self.root = Path(tempfile.mkdtemp(prefix="milepost-stateful-"))
        self.clock = FakeClock()
        self.store = self.new_store()
        self.crashes = 0
        self.added = 0
        self.managers = [self.open(), self.open()]
        self.leases: list[tuple[Lease, AbstractContextManager[Lease]] | None] = [None, None]
        self.stale: list[Lease] = []
        self.gone: list[AbstractContextManager[Lease]] = []
        self.moments: list[tuple[int, dict[str, Any], ReferenceJob]] = []
        self.reference: ReferenceJob

    def new_store(self) -> str:
        (self.root / "0").mkdir()
        return str(self.root / "0" / "jobs.db")

    def open(self) -> StateManager:
        return StateManager.open(self.store, durability="process", clock=self.clock)

    @initialize(
        max_attempts=st.integers(1, 2),
        max_crashes=st.integers(1, 2),
        max_dead=st.integers(0, 1),
        has_reduce=st.booleans(),
    )
    def create(self, max_attempts: int, max_crashes: int, max_dead: int, has_reduce: bool) -> None:
        params = {
            "max_attempts": max_attempts,
            "max_crashes": max_crashes,
            "max_dead": max_dead,
            "has_reduce": has_reduce,
        }
        items = [f"item-{n}" for n in range(ITEMS)]
        self.managers[0].create_job(items, job_id=JOB_ID, config=params)
        self.reference = ReferenceJob(ITEMS, params)

    # What happens to the job and its items

    @rule(who=managers, event=st.sampled_from(JOB.events), result=results)
    def fire(self, who: int, event: str, result: Any) -> None:
        self.fire_one(who, event, result)

    def fire_one(self, who: int, event: str, result: Any) -> None:
        payload = payload_of(event, result, JOB)
        self.write(
            who,
            lambda manager: manager.fire(JOB_ID, event, payload),
            lambda reference: reference.fire(event, payload),
        )

    @rule(
        who=managers,
        events=st.lists(
            st.tuples(ordinals, st.sampled_from(ITEM.events), results), min_size=1, max_size=5
        ),
    )
    def record(self, who: int, events: list[tuple[int, str, Any]]) -> None:
        count = len(self.reference.items)
        self.batch(who, [(n % count, event, payload_of(event, r)) for n, event, r in events])

    @rule(who=managers, picks=st.lists(st.tuples(ordinals, st.integers(0, 8), results), max_size=6))
    def work(self, who: int, picks: list[tuple[int, int, Any]]) -> None:
        """A batch that is legal throughout, as executors write: random events seldom are."""
        trial, events = self.reference.copy(), []
        for number, pick, result in picks:
            ordinal = number % len(trial.items)
            legal = [e for e in ITEM.events if self.legal(trial, ordinal, e)]
            if legal:
                event = legal[pick % len(legal)]
                events.append((ordinal, event, payload_of(event, result)))
                trial.record(events[-1:])
        if events:
            self.batch(who, events)

    def legal(self, trial: ReferenceJob, ordinal: int, event: str) -> bool:
        try:
            trial.copy().record([(ordinal, event, payload_of(event, 1))])
        except Refused:
            return False
        return True

    @rule(who=managers, pick=st.integers(0, 9), result=results)
    def move(self, who: int, pick: int, result: Any) -> None:
        """An event that the job takes: first of all one that leads on."""
        legal = sorted(self.enabled(), key=JOB.events.index)
        if legal:
            self.fire_one(who, legal[min(pick // 3, len(legal) - 1)], result)

    def batch(self, who: int, events: list[tuple[int, str, dict[str, Any]]]) -> None:
        wanted = [ItemEvent(f"item-{o}", event, payload) for o, event, payload in events]
        if self.held_against(who) or not self.reference.conflict(events):
            self.write(
                who,
                lambda manager: manager.record(JOB_ID, wanted),
                lambda reference: reference.record(events),
            )
            return
        with pytest.raises(RecordConflict):
            self.managers[who].record(JOB_ID, wanted)
        self.reference.rejected += 1

    @precondition(lambda self: len(self.reference.items) < MOST)
    @rule(who=managers, count=st.integers(1, 2), skipped=st.booleans())
    def add(self, who: int, count: int, skipped: bool) -> None:
        """More items; their keys are those of others if a rewind undid them, their values new."""
        at = len(self.reference.items)
        self.added += 1
        items = {f"item-{n}": [n, self.added] for n in range(0 if skipped else at, at + count)}
        manager, existing = self.managers[who], "skip" if skipped else "refuse"
        if not self.reference.takes_items():
            with pytest.raises(ItemsRefused):
                manager.add_items(JOB_ID, items, existing=existing)
            return
        if self.held_against(who):
            with pytest.raises(LeaseHeld):
                manager.add_items(JOB_ID, items, existing=existing)
            return
        if not skipped:
            with pytest.raises(ItemExists):
                manager.add_items(JOB_ID, {**items, "item-0": None})
        self.reference.add(count)
        state = manager.add_items(JOB_ID, items, existing=existing)
        values = [state.inputs.value(ordinal) for ordinal in range(at, at + count)]
        assert values == list(items.values())[-count:]

    @rule(who=managers, event=st.sampled_from(ITEM.events), result=results)
    def update(self, who: int, event: str, result: Any) -> None:
        """An updater that fires an event at every item for which it is legal."""
        payload = payload_of(event, result)
        if self.held_against(who):
            return
        legal = self.managers[who].get_state(JOB_ID).takers(event)
        self.write(
            who,
            lambda manager: manager.update_state(
                JOB_ID,
                lambda state: [ItemEvent(o, event, payload) for o in state.takers(event)],
            ),
            lambda reference: reference.record([(o, event, payload) for o in legal]),
        )

    @rule(who=managers, first=st.sampled_from(JOB.events), then=st.sampled_from(JOB.events))
    def update_twice(self, who: int, first: str, then: str) -> None:
        """Two job events in one commit: both, or none."""

        def told(reference: ReferenceJob) -> None:
            trial = reference.copy()
            trial.fire(first, payload_of(first, 1, JOB))
            trial.fire(then, payload_of(then, 1, JOB))
            reference.__dict__.update(trial.__dict__)

        wanted = [JobEvent(event, payload_of(event, 1, JOB)) for event in (first, then)]
        self.write(who, lambda manager: manager.update_state(JOB_ID, lambda _: wanted), told)

    @rule(
        who=managers,
        asked=st.lists(
            st.one_of(
                st.sampled_from(JOB.events),
                st.lists(st.tuples(ordinals, st.integers(0, 8), results), min_size=1, max_size=2),
            ),
            min_size=2,
            max_size=5,
        ),
    )
    def write_each(self, who: int, asked: list[str | list[tuple[int, int, Any]]]) -> None:
        """Writes that share a commit: each is what it would be after those before it."""
        manager, before = self.managers[who], self.managers[who].get_state(JOB_ID).seq
        writes: list[Write] = []
        due: list[type[Exception]] = []
        for one in asked:
            if isinstance(one, str):
                writes.append(Write(JOB_ID, [JobEvent(one, payload_of(one, 1, JOB))]))
                due.append(self.refusal(who, lambda r, e=one: r.fire(e, payload_of(e, 1, JOB)), []))
                continue
            events = [
                (n % len(self.reference.items), event, payload_of(event, result))
                for n, pick, result in one
                for event in [ITEM.events[pick % len(ITEM.events)]]
            ]
            writes.append(Write(JOB_ID, [ItemEvent(f"item-{n}", e, p) for n, e, p in events]))
            due.append(self.refusal(who, lambda r, e=events: r.record(e), events))
        outcomes = manager.write_each(writes)
        assert [type(outcome) for outcome in outcomes] == due
        written = manager.get_state(JOB_ID).seq - before
        assert written <= 1
        assert bool(written) >= (RecordConflict in due)

    def refusal(self, who: int, reference: Any, events: list[Any]) -> type[Any]:
        """Do it to the reference; the type of what the same must come to in the real thing."""
        if self.held_against(who):
            return LeaseHeld
        if self.reference.conflict(events):
            self.reference.rejected += 1
            return RecordConflict
        try:
            reference(self.reference)
        except Refused:
            return TransitionRefused
        return JobState

    def write(self, who: int, real: Any, reference: Any) -> None:
        """Do the same to both; what is refused must be refused by both, with the way out."""
        manager = self.managers[who]
        if self.held_against(who):
            with pytest.raises(LeaseHeld) as held:
                real(manager)
            assert held.value.owner == self.reference.owner
            return
        try:
            reference(self.reference)
        except Refused:
            with pytest.raises(TransitionRefused) as refused:
                real(manager)
            assert "allowed:" in str(refused.value)
        else:
            real(manager)

    def held_against(self, who: int) -> bool:
        return self.leases[who] is None and self.reference.alive(self.clock.monotonic_us())

    # Leases

    @rule(who=managers, takeover=st.booleans())
    def take_lease(self, who: int, takeover: bool) -> None:
        owner = f"executor-{who}"
        reason = "it hangs" if takeover else ""
        held = self.managers[who].lease(JOB_ID, owner, TTL_S, takeover=reason, renewed=False)
        if self.reference.alive(self.clock.monotonic_us()) and not takeover:
            with pytest.raises(LeaseHeld) as error, held:
                pass
            assert error.value.owner == self.reference.owner
            return
        self.drop_leases()
        lease = held.__enter__()
        self.reference.take(owner, self.clock.monotonic_us() + int(TTL_S * 1e6))
        self.leases[who] = (lease, held)
        assert lease.fence == self.reference.fence

    def drop_leases(self) -> None:
        """Whoever holds a lease now will hold a stale one: keep the handle for later."""
        for who, entry in enumerate(self.leases):
            if entry is not None:
                self.stale.append(entry[0])
                self.gone.append(entry[1])
                self.leases[who] = None
                self.managers[who]._leases.pop(JOB_ID, None)

    @rule(who=managers)
    def give_back(self, who: int) -> None:
        entry = self.leases[who]
        if entry is None:
            return
        entry[1].__exit__(None, None, None)
        self.leases[who] = None
        self.reference.owner = None

    @rule(seconds=st.sampled_from([1.0, TTL_S]))
    def wait(self, seconds: float) -> None:
        self.clock.advance(seconds)

    @rule(seconds=st.sampled_from([-86_400.0, -TTL_S, 5.0, 3_600.0]))
    def set_the_wall_clock(self, seconds: float) -> None:
        """Nobody's lease runs out by it, or runs longer; what is dated never runs backwards."""
        self.clock.step(seconds)

    @precondition(lambda self: self.late())
    @rule(who=managers, event=st.sampled_from(ITEM.events), data=st.data())
    def write_late(self, who: int, event: str, data: st.DataObject) -> None:
        """A stale holder's write is refused and leaves nothing but an audit entry (INV-FENCE)."""
        lease = data.draw(st.sampled_from(self.late()))
        late = ItemEvent("item-0", event, payload_of(event, 3))
        with pytest.raises(LeaseLost) as lost:
            self.managers[who].record(JOB_ID, [late], lease=lease)
        assert lost.value.current_fence == self.reference.fence
        self.reference.rejected += 1
        last = self.managers[who].get_state_history(JOB_ID)[-1]
        assert (last.kind, last.payload["code"]) == ("rejected", "lease-lost")

    def late(self) -> list[Lease]:
        """Handles that others, or their own holders, have overtaken."""
        reference = self.reference
        return [
            lease
            for lease in self.stale
            if lease.fence < reference.fence or reference.owner is None
        ]

    # Checkpoints, crashes, recovery

    @rule(who=managers)
    def checkpoint(self, who: int) -> None:
        taken = self.managers[who].create_checkpoint(JOB_ID)
        results_then = dict(self.managers[who].results(JOB_ID))
        assert observed(taken.state, results_then) == self.reference.observed()
        self.moments.append((taken.seq, self.reference.observed(), self.reference.copy()))
        del self.moments[:-KEPT]  # older ones of that reason went in the same commit
        listed = [ref.seq for ref in self.managers[who].list_checkpoints(JOB_ID)]
        assert listed == [seq for seq, _, _ in reversed(self.moments)]

    @rule()
    def crash(self) -> None:
        """Both processes are gone with their memory; what is on the disk is all there is."""
        self.crashes += 1
        image = self.left_behind()
        self.drop_leases()
        for manager in self.managers:
            manager.close()
        self.store = image
        self.managers = [self.open(), self.open()]

    def left_behind(self) -> str:
        """The store as a crash now would leave it."""
        return str(crash_image(Path(self.store), self.root / str(self.crashes)))

    @rule(who=managers)
    def reopen(self, who: int) -> None:
        """One process ends in good order and starts again."""
        self.give_back(who)
        self.managers[who].close()
        self.managers[who] = self.open()

    @rule(who=managers)
    def recover(self, who: int) -> None:
        self.apply_plan(who, self.managers[who].recover_from_checkpoint(JOB_ID), None)

    @precondition(lambda self: self.moments)
    @rule(who=managers, rewind=st.booleans(), data=st.data())
    def recover_from_older(self, who: int, rewind: bool, data: st.DataObject) -> None:
        seq, then, reference = data.draw(st.sampled_from(self.moments))
        taken = self.managers[who].get_checkpoint(JOB_ID, seq)
        plan = self.managers[who].recover_from_checkpoint(taken, rewind=rewind, reason="a test")
        assert plan.state.phase == (then["state"] if rewind else self.reference.state)
        self.apply_plan(who, plan, reference if rewind else None)

    def apply_plan(self, who: int, plan: Any, base: ReferenceJob | None) -> None:
        if self.held_against(who):
            with pytest.raises(LeaseHeld):
                self.managers[who].apply(plan)
            return
        after = self.managers[who].apply(plan)
        if base is not None:
            for name in ("state", "context", "history", "items", "variables"):
                setattr(self.reference, name, getattr(base.copy(), name))
        self.reference.recover(gone_back=base is not None)
        assert after.phase == plan.resume_phase
        if not plan.changes_nothing:
            with pytest.raises((PlanStale, LeaseHeld)):
                self.managers[1 - who].apply(plan, lease=self.managers[who]._leases.get(JOB_ID))

    # What must hold after every rule

    @invariant()
    def agree(self) -> None:
        """State = fold(log) = reference, the chain verifies, the plan is a partition."""
        if not hasattr(self, "reference"):
            return
        expected = self.reference.observed()
        for manager in self.managers:
            state = manager.get_state(JOB_ID)
            assert observed(state, dict(manager.results(JOB_ID))) == expected
            assert set(state.allowed()) == self.enabled()
            check_partition(manager, JOB_ID)
        assert folded_from_nothing(self.store, JOB_ID) == state
        (verification,) = manager.verify()
        assert verification.sound, verification.problems

    def enabled(self) -> set[str]:
        """The job events that the reference would take now, with a payload that it can take."""
        found = set()
        for event in JOB.events:
            try:
                self.reference.copy().fire(event, payload_of(event, "r", JOB))
            except Refused:
                continue
            found.add(event)
        return found

    def teardown(self) -> None:
        self.drop_leases()
        for held in self.gone:  # of managers that are closed, or of leases long lost
            with suppress(StateError):
                held.__exit__(None, None, None)
        for manager in self.managers:
            manager.close()
        shutil.rmtree(self.root)


RULES = settings(
    max_examples=80 * int(os.environ.get("MILEPOST_SOAK", "1")),
    stateful_step_count=40,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)

ON_A_SERVER = settings(RULES, max_examples=6 * int(os.environ.get("MILEPOST_SOAK", "1")))

CONTROL = settings(
    RULES,
    max_examples=120,
    phases=[Phase.generate],
    report_multiple_bugs=False,
    derandomize=True,
    database=None,
)


def test_random_rules_agree_with_the_reference() -> None:
    """Whatever two managers do, crashes included, state = fold(log) = reference."""
    run_state_machine_as_test(Jobs, settings=RULES)


@needs_postgres
def test_random_rules_on_a_server_agree_with_the_reference(postgres: str) -> None:
    """The same of a PostgreSQL store, where a crash of the processes leaves all that there is."""

    class OnAServer(Jobs):
        def new_store(self) -> str:
            return new_url(postgres)

        def left_behind(self) -> str:
            return self.store

    run_state_machine_as_test(OnAServer, settings=ON_A_SERVER)


def test_the_rules_find_a_reference_that_differs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Negative control: a table with one wrong row is found."""
    rows = [dict(row) for row in ITEM.rows]
    wrong = next(row for row in rows if (row["from"], row["on"]) == ("pending", "start"))
    del wrong["set"]
    monkeypatch.setattr(ITEM, "rows", rows)
    with pytest.raises(AssertionError):
        run_state_machine_as_test(Jobs, settings=CONTROL)


def test_the_rules_find_a_refusal_that_spreads(monkeypatch: pytest.MonkeyPatch) -> None:
    """Negative control: writes that are dropped because of one before them are found."""
    one_by_one = StateManager.write_each

    def spreading(self: StateManager, writes: Iterable[Write]) -> list[JobState | Exception]:
        outcomes: list[JobState | Exception] = []
        for write in writes:
            refused = next((o for o in outcomes if isinstance(o, Exception)), None)
            outcomes += [refused] if refused else one_by_one(self, [write])
        return outcomes

    monkeypatch.setattr(StateManager, "write_each", spreading)
    with pytest.raises(AssertionError):
        run_state_machine_as_test(Jobs, settings=CONTROL)
