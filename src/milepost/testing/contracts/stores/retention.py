"""Retention: what goes, what stays, and what becomes of those who still hold it."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from datetime import timedelta

import msgspec
import pytest

from milepost.errors import CheckpointAbsent, JobAbsent, JobReplaced, LeaseLost
from milepost.state.keeping.collecting import Collected
from milepost.state.keeping.retention import RetentionPolicy, Why
from milepost.state.manager import StateManager
from milepost.state.transitions import ItemEvent, JobEvent
from milepost.state.writing.lease import Lease, renew
from milepost.stores.protocol import StateStore
from milepost.testing.clock import FakeClock
from milepost.testing.contracts.stores.opened import OpenedStore

__all__ = ["RetentionContract"]

_DAY_S = 86_400.0
_NOW = RetentionPolicy(
    completed=timedelta(0), failed=timedelta(0), cancelled=timedelta(0), tombstones=None
)


def _rest() -> None:
    """No need to, where nobody waits."""


def _gc(manager: StateManager, policy: RetentionPolicy = _NOW, batch_rows: int = 2) -> Collected:
    return manager.collect(manager.plan_retention(policy), batch_rows=batch_rows, rest=_rest)


def _renews(manager: StateManager, lease: Lease) -> bool:
    """Whether one renewal of `lease`, as the thread makes them, finds it still held."""
    # The thread would wait for its time.
    return renew(manager._loader, lease, manager._observer)  # noqa: SLF001


def _ended(manager: StateManager, job_id: str, phase: str = "completed") -> None:
    """A job that ended in `phase`, with a result and a checkpoint."""
    manager.create_job(["a", "b"], job_id=job_id, config={"has_reduce": False})
    if phase == "setup":
        return
    manager.fire(job_id, "start_map")
    manager.record(job_id, [ItemEvent("a", "start"), ItemEvent("b", "start")])
    manager.record(job_id, [ItemEvent(n, "succeed", {"result": f"{job_id}{n}"}) for n in "ab"])
    manager.create_checkpoint(job_id)
    event = {"completed": "finish_map", "failed": "fail", "cancelled": "cancel", "paused": "pause"}
    payload = {"cause": "error", "message": "m"} if phase == "failed" else None
    manager.fire(job_id, event[phase], payload)


class RetentionContract(OpenedStore):
    """Retention: what goes, what stays, and what becomes of those who still hold it."""

    @pytest.fixture
    def managers(self, store: StateStore, clock: FakeClock) -> tuple[StateManager, StateManager]:
        """Two on one store, as two processes would be."""
        return StateManager(store, clock=clock), StateManager(store, clock=clock)

    def test_outcome_and_age_decide(
        self, managers: tuple[StateManager, StateManager], clock: FakeClock
    ) -> None:
        """Completed 7 days, failed 30, cancelled 7; active and paused for ever."""
        one, two = managers
        for phase in ("setup", "completed", "failed", "cancelled", "paused"):
            _ended(one, phase, phase)
        gone: list[list[str]] = []
        for days in (6.9, 0.2, 22.8, 0.2, 10_000):
            clock.advance(days * _DAY_S)
            gone.append(sorted(_gc(two, RetentionPolicy()).deleted))
        assert gone == [[], ["cancelled", "completed"], [], ["failed"], []]
        assert one.job_ids() == ["paused", "setup"]
        assert all(verification.sound for verification in one.verify())

    def test_a_plan_says_why_and_changes_nothing(
        self, managers: tuple[StateManager, StateManager], clock: FakeClock
    ) -> None:
        """Each job goes or stays for a reason, with what it takes; looking deletes nothing."""
        one, two = managers
        for job_id in ("old", "young", "ever", "held"):
            _ended(one, job_id)
        one.create_job(["a"], job_id="active")
        one.keep("ever", for_=None, reason="the audit")
        one.keep("young", for_=timedelta(days=90))
        clock.advance(8 * _DAY_S)
        with one.lease("held", "worker", renewed=False):
            pass
        clock.advance(8 * _DAY_S)
        with one.lease("held", "worker", renewed=False):
            verdicts = {v.job_id: v for v in two.plan_retention().verdicts}
            before = two.list_jobs()
        assert {job: (v.goes, v.why) for job, v in verdicts.items()} == {
            "old": (True, Why.OLD),
            "young": (False, Why.YOUNG),
            "ever": (False, Why.FOR_EVER),
            "held": (False, Why.HELD),
            "active": (False, Why.ACTIVE),
        }
        assert verdicts["ever"].reason == "the audit"
        assert verdicts["held"].reason == "worker"
        assert verdicts["old"].age == timedelta(days=16)
        assert verdicts["old"].goes_bytes == verdicts["old"].size_bytes > 0
        assert verdicts["young"].goes_bytes == 0
        assert [job.id for job in two.list_jobs()] == [job.id for job in before]

    def test_one_job_can_be_kept_longer_or_shorter(
        self, managers: tuple[StateManager, StateManager], clock: FakeClock
    ) -> None:
        """What was said of a job counts, on every manager, until that is taken back."""
        one, two = managers
        for job_id in ("longer", "shorter", "back"):
            _ended(one, job_id)
        one.keep("longer", for_=timedelta(days=90), reason="asked for")
        one.keep("shorter", for_=timedelta(hours=1))
        one.keep("back", for_=None)
        two.keep_by_policy("back")
        kept = two.kept("longer")
        assert kept is not None
        assert (kept.for_, kept.reason) == (timedelta(days=90), "asked for")
        assert two.kept("back") is None
        clock.advance(2 * 3600)
        assert _gc(two, RetentionPolicy()).deleted == ("shorter",)
        clock.advance(8 * _DAY_S)
        assert _gc(two, RetentionPolicy()).deleted == ("back",)
        with pytest.raises(JobAbsent):
            one.keep("back", for_=None)
        for bad in (timedelta(seconds=-1), timedelta(days=2_000_000)):
            with pytest.raises(ValueError, match="for_"):
                one.keep("longer", for_=bad)

    @pytest.mark.parametrize(
        ("change", "why"),
        [
            (lambda m: m.keep("j", for_=None), "for-ever"),
            (lambda m: m.fire("j", "retry"), "moved on"),
            (lambda m: m.create_checkpoint("j"), "moved on"),
            (_gc, "another collector took it"),
        ],
        ids=["kept", "retried", "checkpoint", "collected"],
    )
    def test_what_changed_since_it_was_looked_at_is_left_alone(
        self,
        managers: tuple[StateManager, StateManager],
        change: Callable[[StateManager], object],
        why: str,
    ) -> None:
        """It is decided again under the write lock."""
        one, two = managers
        _ended(one, "j", "failed")
        plan = two.plan_retention(_NOW)
        change(one)
        collected = two.collect(plan, rest=_rest)
        assert (collected.deleted, collected.rows) == ((), 0)
        assert why in collected.passed_over[0].why

    def test_a_job_that_was_replaced_since_is_left_alone(
        self,
        managers: tuple[StateManager, StateManager],
    ) -> None:
        """The new job of an old id ended just the same: the plan was not about it."""
        one, two = managers
        _ended(one, "j")
        plan = two.plan_retention(_NOW)
        _gc(one)
        _ended(one, "j")
        assert two.collect(plan, rest=_rest).deleted == ()
        assert one.get_state("j").phase == "completed"

    def test_a_lease_protects_a_job_until_it_is_given_back(
        self, managers: tuple[StateManager, StateManager], clock: FakeClock
    ) -> None:
        """Held: stays. Given back: goes, though the lease has not expired. Expired: goes."""
        one, two = managers
        _ended(one, "back", "failed")
        _ended(one, "dead", "failed")
        with one.lease("back", "me", 100.0, renewed=False):
            assert two.plan_retention(_NOW).verdicts[0].why == Why.HELD
            assert _gc(two).deleted == ("dead",)
        assert _gc(two).deleted == ("back",)
        _ended(one, "dead", "failed")
        with one.lease("dead", "me", 100.0, renewed=False):
            clock.advance(100)
            assert _gc(two).deleted == ("dead",)

    def test_those_who_knew_the_old_job_meet_the_new_one_as_new(
        self, managers: tuple[StateManager, StateManager], caplog: pytest.LogCaptureFixture
    ) -> None:
        """A cached state of a deleted job is never applied to another of its id."""
        one, two = managers
        _ended(one, "j")
        old = two.get_state("j")
        assert dict(two.results("j")) == {"a": "ja", "b": "jb"}
        assert _gc(one).deleted == ("j",)
        with pytest.raises(JobAbsent, match="it was deleted at 2023-11-14T22:13:20Z"):
            two.get_state("j")
        with caplog.at_level(logging.INFO, "milepost.state"):
            one.create_job({"c": 1, "d": 2, "e": 3}, job_id="j")
        assert "an earlier job of that id was deleted at" in caplog.text
        one.fire("j", "start_map")
        state = two.get_state("j")
        assert (state.phase, state.seq, state.progress.total) == ("map", 2, 3)
        assert state.number > old.number
        two.record("j", [ItemEvent("c", "start")])
        two.record("j", [ItemEvent("c", "succeed", {"result": "new"})])
        assert dict(two.results("j")) == {"c": "new"}
        assert two.failures("j") == {}
        assert two.verify("j")[0].sound
        with pytest.raises(JobReplaced, match="what was read"):
            old.inputs.value(0)

    def test_what_was_made_for_the_old_job_never_touches_the_new(
        self, managers: tuple[StateManager, StateManager], clock: FakeClock
    ) -> None:
        """Leases, plans and checkpoints of the old job are refused, and leave no trace."""
        one, two = managers
        _ended(one, "j", "failed")
        plan, checkpoint = two.recover_from_checkpoint("j"), two.get_checkpoint("j")
        with two.lease("j", "sleeper", 10.0, renewed=False) as lease:
            clock.advance(10)
            assert _gc(one).deleted == ("j",)
            with pytest.raises((JobAbsent, LeaseLost)):
                two.fire("j", "retry")
            _ended(one, "j", "failed")
            with one.lease("j", "other", 10.0, renewed=False) as new:
                assert new.fence == lease.fence  # only the number tells them apart
                before = one.get_state("j").seq
                for wrong in (
                    lambda: two.fire("j", "retry"),
                    lambda: two.fire("j", "retry", lease=lease, operator=True),
                    lambda: two.record("j", [ItemEvent("a", "skip")], lease=lease),
                    lambda: two.create_checkpoint("j"),
                    lambda: two.update_state("j", lambda _: JobEvent("retry")),
                    lambda: one.apply(plan),
                    lambda: one.recover_from_checkpoint(checkpoint),
                    lambda: one.recover_from_checkpoint(checkpoint, rewind=True),
                ):
                    with pytest.raises(JobReplaced):
                        wrong()
                assert lease.lost.is_set()
                lease.lost.clear()
                assert not _renews(two, lease)
                assert lease.lost.is_set()
                assert one.get_state("j").seq == before
        assert one.get_state("j").owner is None  # given back by its holder, not by the sleeper
        assert one.get_state_history("j")[-1].owner in ("other", None)
        assert one.verify("j")[0].sound

    def test_a_renewal_of_a_deleted_job_ends(
        self, managers: tuple[StateManager, StateManager], clock: FakeClock
    ) -> None:
        """It finds the lease lost, and is not tried for ever."""
        one, two = managers
        _ended(one, "j", "failed")
        with two.lease("j", "sleeper", 10.0, renewed=False) as lease:
            clock.advance(10)
            _gc(one)
            assert not _renews(two, lease)
            assert lease.lost.is_set()

    def test_an_updater_that_saw_the_old_job_is_asked_again(
        self,
        managers: tuple[StateManager, StateManager],
    ) -> None:
        """The same seq of another job is another state."""
        one, two = managers
        _ended(one, "j", "failed")
        seen: list[int] = []

        def updater(_: object) -> JobEvent | None:
            seen.append(two.get_state("j").number)
            if len(seen) == 1:
                _gc(one)
                _ended(one, "j", "failed")
                return JobEvent("retry")
            return None

        assert two.update_state("j", updater).phase == "failed"
        assert len(set(seen)) == 2

    def test_two_collectors_share_the_work(self, store: StateStore, clock: FakeClock) -> None:
        """Each job is deleted once, whoever does it; nothing is left of any."""
        managers = [StateManager(store, clock=clock) for _ in range(3)]
        for number in range(12):
            _ended(managers[2], f"j{number}")
        managers[2].create_job(["a"], job_id="stays")
        done: list[Collected] = []
        gate = threading.Barrier(2)

        def work(manager: StateManager) -> None:
            plan = manager.plan_retention(_NOW)
            gate.wait()
            done.append(manager.collect(plan, batch_rows=1, rest=_rest))

        threads = [
            threading.Thread(target=work, args=(manager,), daemon=True) for manager in managers[:2]
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(done[0].deleted + done[1].deleted) == sorted(f"j{n}" for n in range(12))
        assert managers[0].job_ids() == ["stays"]
        with store.reading() as reader:
            assert reader.tombstones_left() == []
            assert all(reader.sizes(number).total_bytes == 0 for number in range(1, 13))
        assert managers[0].verify("stays")[0].sound

    def test_writers_get_their_turn_between_two_batches(
        self,
        managers: tuple[StateManager, StateManager],
    ) -> None:
        """`rest` is called with the store free: a commit of somebody else's goes through."""
        one, two = managers
        _ended(one, "j")
        one.create_job([f"{n}" for n in range(50)], job_id="busy")
        one.fire("busy", "start_map")
        written: list[int] = []

        def write() -> None:
            written.append(one.record("busy", [ItemEvent(len(written), "start")]).seq)

        two.collect(two.plan_retention(_NOW), batch_rows=1, rest=write)
        assert len(written) >= 6  # a batch for each row of the job
        assert one.get_state("busy").progress.running == len(written)

    def test_checkpoints_are_thinned_by_reason(
        self,
        managers: tuple[StateManager, StateManager],
        store: StateStore,
    ) -> None:
        """The newest few of each reason stay, at taking and by gc."""
        one, two = managers
        _ended(one, "j", "failed")
        taken = [one.create_checkpoint("j", reason="before the upgrade", keep=2).seq]
        taken += [one.create_checkpoint("j", reason="policy", keep=3).seq for _ in range(6)]
        listed = [
            (ref.seq, ref.reason) for ref in two.list_checkpoints("j") if ref.reason != "by hand"
        ]
        assert listed == [(seq, "policy") for seq in taken[:-4:-1]] + [
            (taken[0], "before the upgrade")
        ]
        with pytest.raises(CheckpointAbsent, match="it was taken, and has been removed since"):
            two.get_checkpoint("j", taken[1])
        with pytest.raises(CheckpointAbsent) as never:
            two.get_checkpoint("j", 2)
        assert never.value.problems == ()
        policy = RetentionPolicy(failed=None, checkpoints=1)
        verdict = two.plan_retention(policy).verdicts[0]
        assert verdict.checkpoints == tuple(taken[-2:-4:-1])
        collected = _gc(two, policy)
        assert (collected.checkpoints, collected.freed_bytes) == (2, verdict.goes_bytes)
        assert _gc(two, policy).checkpoints == 0
        assert len(two.list_checkpoints("j")) == 3
        assert StateManager(store).get_state("j") == one.get_state("j")
        assert two.verify("j")[0].sound
        with pytest.raises(ValueError, match="'keep': an integer from 1 on is wanted"):
            one.create_checkpoint("j", keep=0)

    def test_the_newest_checkpoint_that_verifies_is_never_thinned(
        self,
        managers: tuple[StateManager, StateManager],
        store: StateStore,
    ) -> None:
        """If newer ones are damaged, loading needs an older one."""
        one, two = managers
        _ended(one, "j", "failed")
        taken = [one.create_checkpoint("j", reason="policy").seq for _ in range(3)]
        with store.writing() as writer:
            for stored in list(writer.checkpoints(one.get_state("j").number)):
                if stored.seq in taken[1:]:
                    damaged = msgspec.structs.replace(stored, snapshot=b"damaged")
                    writer.put_checkpoint(one.get_state("j").number, damaged)
        verdict = two.plan_retention(RetentionPolicy(failed=None, checkpoints=1)).verdicts[0]
        assert verdict.checkpoints == (taken[1],)  # and not taken[0], which is the one that loads

    def test_active_jobs_keep_their_checkpoints(
        self, managers: tuple[StateManager, StateManager]
    ) -> None:
        """A collector never touches a job that is active."""
        one, two = managers
        _ended(one, "j", "paused")
        for _ in range(3):
            one.create_checkpoint("j")
        assert _gc(two, RetentionPolicy(checkpoints=1)).checkpoints == 0
        assert len(two.list_checkpoints("j")) == 4

    def test_tombstones_do_not_pile_up(
        self, managers: tuple[StateManager, StateManager], clock: FakeClock
    ) -> None:
        """Old ones are dropped, but for the newest, which knows the highest number."""
        one, two = managers
        for number in range(5):
            _ended(one, f"j{number}")
        _gc(two)
        clock.advance(366 * _DAY_S)
        assert _gc(two, RetentionPolicy(), batch_rows=2).tombstones == 4
        with pytest.raises(JobAbsent) as absent:
            one.get_state("j0")
        assert absent.value.deleted_at is None
        assert one.create_job(["a"]).number == 6

    def test_a_job_dated_ahead_is_young_until_then_and_says_so(
        self, managers: tuple[StateManager, StateManager], clock: FakeClock
    ) -> None:
        """A clock that was corrected deletes nothing early; with an age of 0 the job goes."""
        one, two = managers
        clock.step(10 * _DAY_S)
        _ended(one, "ahead")
        clock.step(-10 * _DAY_S)
        clock.advance(8 * _DAY_S)
        (verdict,) = two.plan_retention().verdicts
        assert (verdict.why, verdict.age) == (Why.YOUNG, timedelta(0))
        assert verdict.reason.startswith("its newest commit is dated ahead, at ")
        clock.advance(9 * _DAY_S)
        (verdict,) = two.plan_retention().verdicts
        assert (verdict.why, verdict.reason) == (Why.OLD, "")
        clock.step(-9 * _DAY_S)
        assert _gc(two).deleted == ("ahead",)

    @pytest.mark.parametrize("ahead_s", [0.0, 3_600.0, 10 * _DAY_S])
    def test_a_lease_that_nobody_gave_back_keeps_no_job_for_ever(
        self, store: StateStore, clock: FakeClock, ahead_s: float
    ) -> None:
        """Of another boot, where nothing can be said at one look, and of a clock that was ahead."""
        before, after = FakeClock(clock.now_us()), clock
        before.step(ahead_s)
        one, two = StateManager(store, clock=before), StateManager(store, clock=after)
        block = one.lease("j", "dead", 30.0, renewed=False)
        one.create_job(["a"], job_id="j")
        with block:
            one.fire("j", "cancel")
            held = ahead_s == 0
            (verdict,) = two.plan_retention(_NOW).verdicts
            assert (verdict.why == Why.HELD) == held
            after.advance(31)
            assert _gc(two).deleted == ("j",)
