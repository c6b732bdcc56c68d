"""Leases: one executor at a time, told apart by fences; expiry by a time that nobody sets."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from milepost import ItemEvent, LeaseHeld, LeaseLost, StateManager
from milepost.errors import LeaseForeign
from milepost.state.writing.lease import Lease, renew
from milepost.testing import FakeClock


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def managers(tmp_path: Path, clock: FakeClock) -> tuple[StateManager, StateManager]:
    """Two on one store, as two processes would be."""
    one, two = (StateManager.open(tmp_path / "jobs.db", clock=clock) for _ in range(2))
    one.create_job(["a", "b"], job_id="j")
    one.fire("j", "start_map")
    return one, two


def test_one_holds_and_the_other_is_told_who(
    managers: tuple[StateManager, StateManager], clock: FakeClock
) -> None:
    """The error names the holder and until when; the fence rises at each acquisition."""
    one, two = managers
    with one.lease("j", "first", 10.0, renewed=False) as lease:
        assert lease.fence == 1
        with pytest.raises(LeaseHeld) as held, two.lease("j", "second", 10.0):
            pass
        assert held.value.owner == "first"
        assert held.value.expires_at.timestamp() * 1e6 == clock.now_us() + 10_000_000
        with pytest.raises(LeaseHeld, match="first"):
            two.record("j", [ItemEvent("a", "start")])
        one.record("j", [ItemEvent("a", "start")])
    with two.lease("j", "second", 10.0, renewed=False) as lease:
        assert lease.fence == 2


def test_a_stale_holder_writes_nothing_but_an_audit_entry(
    managers: tuple[StateManager, StateManager], clock: FakeClock
) -> None:
    """INV-FENCE: a holder that slept past its lease cannot overwrite its successor."""
    one, two = managers
    with one.lease("j", "sleeper", 10.0, renewed=False) as stale:
        one.record("j", [ItemEvent("a", "start")])
        clock.advance(10.0)
        with two.lease("j", "successor", 10.0, renewed=False):
            state = two.apply(two.recover_from_checkpoint("j"))
            assert state.progress.pending == 2
            before = two.get_state("j")
            with pytest.raises(LeaseLost) as lost:
                one.record("j", [ItemEvent("a", "succeed", {"result": "late"})])
            assert lost.value.current_owner == "successor"
            assert stale.lost.is_set()
            after = two.get_state("j")
            assert after.items == before.items
            assert (after.phase, after.fence) == (before.phase, before.fence)
            entry = two.get_state_history("j")[-1]
            assert entry.kind == "rejected"
            assert entry.payload == {"code": "lease-lost", "owner": "sleeper", "event": "succeed"}
            assert list(entry.items) == ["a"]
            with pytest.raises(LeaseLost):
                one.fire("j", "finish_map", lease=stale)
            with pytest.raises(LeaseLost):
                one.create_checkpoint("j")
            with pytest.raises(LeaseLost):
                one.apply(one.recover_from_checkpoint("j"), lease=stale)
            entry = two.get_state_history("j")[-1]
            assert entry.payload == {"code": "lease-lost", "owner": "sleeper", "event": "recover"}
        assert two.verify("j")[0].sound


def test_an_expired_lease_still_writes_while_nobody_took_over(
    managers: tuple[StateManager, StateManager], clock: FakeClock
) -> None:
    """Expiry only lets others in: the fence is what protects."""
    one, _ = managers
    with one.lease("j", "slow", 1.0, renewed=False):
        clock.advance(5.0)
        assert one.record("j", [ItemEvent("a", "start")]).progress.running == 1


def test_taking_over_a_live_holder_needs_a_reason_and_keeps_it(
    managers: tuple[StateManager, StateManager],
) -> None:
    """The evidence stays in the history."""
    one, two = managers
    with one.lease("j", "first", 10.0, renewed=False) as stale:
        with two.lease("j", "second", 10.0, takeover="the host is gone", renewed=False):
            assert two.get_state("j").orphaned
        taken = [event for event in two.get_state_history("j") if event.kind == "lease"]
        assert taken[-1].payload == {"owner": "second", "reason": "the host is gone"}
        with pytest.raises(LeaseLost, match="nobody holds it"):
            one.fire("j", "pause", lease=stale)


def test_an_operator_may_pause_a_job_that_is_held(
    managers: tuple[StateManager, StateManager],
) -> None:
    """People come first: the holder finds out at its next write."""
    one, two = managers
    with one.lease("j", "executor", 10.0, renewed=False):
        with pytest.raises(LeaseHeld):
            two.fire("j", "pause")
        assert two.fire("j", "pause", operator=True).phase == "paused"
        assert one.get_state("j").phase == "paused"
        assert one.get_state("j").owner == "executor"


def test_renewal_pushes_the_expiry_out_until_the_lease_is_lost(
    managers: tuple[StateManager, StateManager], clock: FakeClock
) -> None:
    """A holder that renews is not taken over; one that was taken over learns it."""
    one, two = managers
    with one.lease("j", "first", 10.0, renewed=False) as lease:
        clock.advance(9.0)
        assert renew(one._loader, lease, one._observer)
        clock.advance(9.0)
        with pytest.raises(LeaseHeld), two.lease("j", "second", 10.0):
            pass
        clock.advance(1.0)
        with two.lease("j", "second", 10.0, renewed=False):
            assert not renew(one._loader, lease, one._observer)
            assert lease.lost.is_set()


def test_the_renewing_thread_ends_with_the_block(
    managers: tuple[StateManager, StateManager],
) -> None:
    """No thread outlives its lease."""
    one, _ = managers
    with one.lease("j", "me", 0.03):
        names = [thread.name for thread in threading.enumerate()]
        assert "milepost-lease-j" in names
    assert "milepost-lease-j" not in [thread.name for thread in threading.enumerate()]


def test_a_lease_needs_an_owner_and_time(managers: tuple[StateManager, StateManager]) -> None:
    """Nonsense is refused."""
    for ttl_s in (0.0, -1.0, float("nan")):
        with pytest.raises(ValueError, match="ttl_s"), managers[0].lease("j", "me", ttl_s):
            pass


def test_a_lease_of_another_job_is_refused_and_stays_what_it_is(
    managers: tuple[StateManager, StateManager],
) -> None:
    """Fences count from 1 in every job, so an equal one says nothing."""
    one, _ = managers
    one.create_job(["a"], job_id="k")
    one.fire("k", "start_map")
    with (
        one.lease("j", "me", renewed=False) as of_j,
        one.lease("k", "me", renewed=False) as of_k,
    ):
        assert of_j.fence == of_k.fence
        before = one.get_state("k")
        with pytest.raises(LeaseForeign, match="is of job j") as refused:
            one.record("k", [ItemEvent("a", "start")], lease=of_j)
        assert (refused.value.job_id, refused.value.lease_job_id) == ("k", "j")
        with pytest.raises(LeaseForeign):
            one.create_checkpoint("k", lease=of_j)
        assert one.get_state("k") == before
        assert not of_j.lost.is_set()
        one.record("k", [ItemEvent("a", "start")], lease=of_k)
        one.record("j", [ItemEvent("a", "start")], lease=of_j)


def test_a_lease_of_another_store_is_not_current_here(
    managers: tuple[StateManager, StateManager],
) -> None:
    """The same id, number and fence, and yet another holder."""
    one, _ = managers
    with one.lease("j", "me", renewed=False) as held:
        other = Lease("j", held.number, "you", held.fence, held.ttl_s)
        with pytest.raises(LeaseLost):
            one.record("j", [ItemEvent("a", "start")], lease=other)
