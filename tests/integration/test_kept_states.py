"""What a manager keeps of the jobs it met: the newest states, of the jobs that were used last."""

from __future__ import annotations

from milepost import StateManager
from milepost.stores.memory import MemoryStore
from milepost.testing import FakeClock

MOST = 256


def test_the_states_of_so_many_jobs_are_kept_and_the_oldest_goes_first() -> None:
    """Whoever is written to counts as new; what is not kept is read again."""
    with StateManager(MemoryStore(), clock=FakeClock()) as manager:
        kept = manager._appender
        for number in range(MOST):
            manager.create_job(["a"], job_id=f"j{number}")
            manager.fire(f"j{number}", "start_map")
        assert all(kept.known(f"j{number}") for number in range(MOST))
        manager.fire("j0", "pause")
        manager.create_job(["a"], job_id="more")
        manager.fire("more", "start_map")
        assert [kept.known(job) is not None for job in ("j0", "j1", "j2", "more")] == [
            True,
            False,
            True,
            True,
        ]
        assert manager.fire("j1", "pause").phase == "paused"
        assert kept.known("j2") is None


def test_an_older_state_takes_no_newer_ones_place() -> None:
    """Of the same job: an append by somebody else may have been seen already."""
    with StateManager(MemoryStore(), clock=FakeClock()) as manager:
        older = manager.create_job(["a"], job_id="j")
        newer = manager.fire("j", "start_map")
        kept = manager._appender
        kept.remember(older)
        assert kept.known("j") is newer
        kept.forget("j")
        assert kept.known("j") is None
        kept.forget("j")
        kept.remember(older)
        kept.remember(newer)
        assert kept.known("j") is newer
