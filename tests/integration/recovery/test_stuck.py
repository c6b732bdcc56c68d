"""Jobs whose holder has gone quiet: listed, freed with a fence, and told of in the history."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from pathlib import Path

import apsw
import pytest

from milepost import ItemEvent, LeaseHeld, LeaseLost, StateManager
from milepost.errors import StateError, StoreUnreadable
from milepost.executors import run
from milepost.state.persistence import open_store
from milepost.testing import FakeClock
from tests.stateful.observing import crash_image
from tests.stores.make import NoProcesses


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def managers(tmp_path: Path, clock: FakeClock) -> Iterator[tuple[StateManager, StateManager]]:
    """Two on one store: `crashed` was held by a process that died, with one item in flight."""
    path = tmp_path / "jobs.db"
    with StateManager(open_store(path), clock=clock, processes=NoProcesses()) as first:
        for job_id in ("crashed", "paused", "done", "free"):
            first.create_job(["a", "b"], job_id=job_id, config={"has_reduce": False})
            first.fire(job_id, "start_map")
        with first.lease("done", "worker-0", 10, renewed=False):
            first.fire("done", "cancel")
        with first.lease("free", "worker-0", 10, renewed=False):
            first.record("free", [ItemEvent("a", "start")])
        with (
            first.lease("crashed", "worker-1", 10, renewed=False),
            first.lease("paused", "worker-2", 10, renewed=False),
        ):
            first.record("crashed", [ItemEvent("a", "start")])
            first.record("paused", [ItemEvent("a", "start")])
            first.fire("paused", "pause")
            image = crash_image(path, tmp_path / "image")
    with StateManager.open(image, clock=clock) as one, StateManager.open(image, clock=clock) as two:
        yield one, two


def test_only_jobs_that_were_left_are_stuck(
    managers: tuple[StateManager, StateManager], clock: FakeClock
) -> None:
    """Not one whose holder may be alive, gave it back, or had ended it."""
    one, _ = managers
    assert one.stuck_jobs() == []
    clock.advance(10)
    crashed, paused = one.stuck_jobs()
    assert (crashed.id, crashed.owner, crashed.fence, crashed.running) == (
        "crashed",
        "worker-1",
        1,
        1,
    )
    assert crashed.expired_at.timestamp() * 1e6 == clock.now_us()
    assert (paused.id, paused.phase) == ("paused", "paused")


def test_a_job_that_was_given_back_is_not_looked_at(tmp_path: Path, clock: FakeClock) -> None:
    """By its holder or by who freed it: what it ends at could not be read, and nobody is told."""
    path = tmp_path / "jobs.db"
    with StateManager(open_store(path), clock=clock, processes=NoProcesses()) as manager:
        for job_id in ("back", "freed", "held"):
            manager.create_job(["a"], job_id=job_id)
        with manager.lease("back", "worker-0", 10, renewed=False):
            until = manager.lease_expires_at("back")
        assert manager.lease_expires_at("back") == until
        stack = ExitStack()
        stack.enter_context(manager.lease("freed", "worker-1", 10, renewed=False))
        clock.advance(10)
        assert [job.id for job in manager.stuck_jobs()] == ["freed"]
        manager.reap("freed")
        held = manager.lease("held", "worker-2", 10, renewed=False)
        stack.enter_context(held)
        clock.advance(10)
        connection = apsw.Connection(str(path))
        numbers = "SELECT number FROM jobs WHERE job_id {}"
        damage = "UPDATE tips SET seal = x'00' WHERE job IN"
        connection.execute(f"{damage} ({numbers.format('<> ' + repr('held'))})")
        assert [job.id for job in manager.stuck_jobs()] == ["held"]
        connection.execute(f"{damage} ({numbers.format('= ' + repr('held'))})")
        with pytest.raises(StoreUnreadable):
            manager.stuck_jobs()
        connection.close()
        with suppress(StateError):
            stack.close()


def test_a_job_is_given_back_whose_lease_is_damaged(tmp_path: Path, clock: FakeClock) -> None:
    """The log says so; the lease stays as it is, to be told of."""
    path = tmp_path / "jobs.db"
    with StateManager(open_store(path), clock=clock, processes=NoProcesses()) as manager:
        manager.create_job(["a"], job_id="job")
        with manager.lease("job", "worker-0", 10, renewed=False):
            connection = apsw.Connection(str(path))
            connection.execute("UPDATE leases SET ttl_us = 3")
            connection.close()
        assert manager.get_state("job").owner is None
        (report,) = manager.verify()
        assert not report.sound


def test_a_freed_job_goes_on_elsewhere_and_its_holder_does_not(
    managers: tuple[StateManager, StateManager], clock: FakeClock
) -> None:
    """One commit: the takeover with its reason, the interruption, and the release."""
    one, two = managers
    with pytest.raises(LeaseHeld):
        two.reap("crashed")
    clock.advance(10)
    before = one.get_state("crashed")
    after = two.reap("crashed", owner="ops", reason="host is down")
    assert (after.seq, after.owner, after.fence, after.orphaned) == (before.seq + 1, None, 2, False)
    assert after.progress.pending == 2
    assert after.item("a")[1]["attempts"] == 0
    assert after.item("a")[1]["suspect"]
    taken, recovered, released = two.get_state_history("crashed", after=before.seq)
    assert taken.payload == {"owner": "ops", "reason": "the lease of worker-1 had expired"}
    assert (recovered.event, recovered.payload["reason"]) == ("recover", "host is down")
    assert released.kind == "released"
    from milepost.state.writing.lease import Lease

    with pytest.raises(LeaseLost):
        succeed = ItemEvent("a", "succeed", {"result": "late"})
        one.record("crashed", [succeed], lease=Lease("crashed", before.number, "worker-1", 1, 10))
    assert two.reap("crashed") == two.get_state("crashed")
    assert [job.id for job in two.stuck_jobs()] == ["paused"]
    with ThreadPoolExecutor(1) as pool:
        assert run(two, "crashed", lambda item: 1, executor=pool).phase == "completed"
    assert all(report.sound for report in two.verify())


def test_a_paused_job_stays_paused(
    managers: tuple[StateManager, StateManager], clock: FakeClock
) -> None:
    """It is freed, no more; whoever resumes it interrupts what was in flight."""
    one, _ = managers
    clock.advance(10)
    after = one.reap("paused")
    assert (after.phase, after.owner, after.orphaned) == ("paused", None, True)
    assert after.progress.running == 1
    assert one.recover_from_checkpoint("paused").events == ("resume", "recover")
