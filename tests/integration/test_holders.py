"""Holders that are real processes: killed, stopped, and followed by another of the same pid."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from milepost import LeaseHeld, StateManager
from milepost.clock import SystemClock
from milepost.process.identity import Process, SystemProcesses, boot_timeline
from milepost.state.writing.lease import renew
from milepost.testing import FakeClock

HOLD = """
import sys, time
from milepost import StateManager

class Ahead:
    def now_us(self):
        return time.time_ns() // 1000 + int(sys.argv[3]) * 1_000_000

manager = StateManager.open(sys.argv[1], clock=Ahead())
with manager.lease("j", "worker", float(sys.argv[2]), renewed=False):
    print("held", flush=True)
    sys.stdin.readline()
    manager.fire("j", "start_map")
    print("written", flush=True)
    sys.stdin.readline()
"""

pytestmark = pytest.mark.skipif(
    boot_timeline() is None, reason="this system says nothing of boots and processes"
)


@contextmanager
def holder(
    database: Path, ttl_s: float = 3_600, ahead_s: int = 0
) -> Iterator[subprocess.Popen[str]]:
    """A process that holds the job `j`, with its wall clock ahead; it ends with the block."""
    child = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(database), str(ttl_s), str(ahead_s)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert child.stdout is not None
        assert child.stdout.readline() == "held\n"
        yield child
    finally:
        child.kill()
        child.communicate()


@pytest.fixture
def database(tmp_path: Path) -> Path:
    path = tmp_path / "jobs.db"
    with StateManager.open(path) as manager:
        manager.create_job(["a"], job_id="j")
    return path


def test_a_holder_that_was_killed_is_replaced_at_once(database: Path) -> None:
    """Its ttl of an hour is not waited for; one that lives keeps the job."""
    with StateManager.open(database) as manager:
        with holder(database) as child:
            with pytest.raises(LeaseHeld, match="unless it renews") as held, manager.lease("j"):
                pass
            assert 3_500 < held.value.left_s <= held.value.ttl_s == 3_600
            child.kill()
            child.wait()
            with manager.lease("j", "next", renewed=False) as lease:
                assert lease.fence == 2
        taken = [event.payload for event in manager.get_state_history("j") if event.kind == "lease"]
        assert f"its process (pid {child.pid} on " in taken[1]["reason"]
        assert taken[1]["reason"].endswith(") is gone")


def test_one_that_was_not_waited_for_is_gone_all_the_same(database: Path) -> None:
    """A zombie is no process that could go on."""
    with StateManager.open(database) as manager, holder(database) as child:
        os.kill(child.pid, signal.SIGKILL)
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        with manager.lease("j", "next", renewed=False) as lease:
            assert lease.fence == 2


class Later(SystemClock):
    """The machine's clock, an hour later: what a holder is to an observer that waited so long."""

    def monotonic_us(self) -> int:
        return super().monotonic_us() + 3_600_000_000


def test_one_that_is_stopped_is_not_gone(database: Path) -> None:
    """It may go on at any time: its ttl counts, and its write after that is refused."""
    with (
        StateManager.open(database) as now,
        StateManager.open(database, clock=Later()) as manager,
        holder(database) as child,
    ):
        os.kill(child.pid, signal.SIGSTOP)
        held = now.holder("j")
        assert held is not None
        assert held.standing == "alive"
        with manager.lease("j", "next", renewed=False):
            os.kill(child.pid, signal.SIGCONT)
            assert child.stdin is not None
            child.stdin.write("\n")
            child.stdin.flush()
            child.wait()
            assert [e.kind for e in manager.get_state_history("j")][-1] == "rejected"


def test_a_pid_that_another_has_now_is_no_sign_of_life() -> None:
    """It began at another time. This process itself stands for the other."""
    table = SystemProcesses()
    me = table.this()
    assert me is not None
    assert me.pid == os.getpid()
    assert not table.is_gone(me)
    assert table.is_gone(replace(me, started=me.started - 1))


def test_a_pid_that_cannot_be_is_known_to_be_nothing() -> None:
    """Whatever a damaged row says, nothing is raised."""
    table = SystemProcesses()
    for pid in (2**22 + 1, 2**31 - 1):
        assert table.is_gone(Process(scope="", pid=pid, started=1))
    assert not table.is_gone(Process(scope="", pid=2**63, started=1))


def test_two_managers_of_one_process_hold_each_other_off(database: Path) -> None:
    """The process lives, so only time tells."""
    with StateManager.open(database) as one, StateManager.open(database) as two:
        with one.lease("j", "one"), pytest.raises(LeaseHeld), two.lease("j", "two"):
            pass
        with two.lease("j", "two") as lease:
            assert lease.fence == 2


def test_after_a_restart_of_the_machine_the_holder_is_watched(database: Path) -> None:
    """No time is in common: seen silent for its ttl it lapses, whatever the wall clock says."""
    clock = FakeClock()
    with (
        StateManager.open(database, clock=FakeClock(SystemClock().now_us() + 10**12)) as before,
        StateManager.open(database, clock=clock) as manager,
        before.lease("j", "worker", 30.0, renewed=False),
    ):
        (left,) = manager.stuck_jobs()
        assert (left.sure, left.left_s) == (False, 30.0)
        with pytest.raises(LeaseHeld, match="counted from now on"):
            manager.reap("j")
        clock.advance(29)
        clock.step(10**6)
        with pytest.raises(LeaseHeld) as held:
            manager.reap("j")
        assert (held.value.left_s, held.value.watched) == (1.0, True)
        clock.advance(1)
        (left,) = manager.stuck_jobs()
        assert left.sure
        assert left.expired_at.timestamp() * 1e6 <= clock.now_us()
        assert manager.reap("j").owner is None


@pytest.mark.parametrize("ahead_s", [5, 3_600, 86_400, -86_400])
def test_whatever_clock_it_had_one_that_died_is_stuck_and_one_that_lives_is_not(
    database: Path, ahead_s: int
) -> None:
    """It was ahead, or behind, and was corrected: real processes, and a list by one look."""
    with StateManager.open(database, read_only=True) as manager:
        with holder(database, ahead_s=ahead_s):
            assert manager.stuck_jobs() == []
        (left,) = manager.stuck_jobs()
        assert (left.id, left.sure) == ("j", True)
    with StateManager.open(database) as manager:
        assert manager.reap("j").owner is None
        dates = [event.at for event in manager.get_state_history("j")]
        assert dates == sorted(dates)


class Wall:
    """A clock as people bring them: the wall's time alone, which can be set."""

    ahead_s = 0.0

    def now_us(self) -> int:
        return SystemClock().now_us() + int(self.ahead_s * 1_000_000)


@pytest.mark.parametrize("ahead_s", [-86_400.0, -3_600.0, -5.0, 5.0, 3_600.0, 86_400.0])
def test_one_that_renews_keeps_its_job_although_the_clock_is_corrected(
    database: Path, ahead_s: float
) -> None:
    """The clock was wrong for one commit; each renewal is by the corrected one."""
    clock = Wall()
    with (
        StateManager.open(database, clock=clock) as one,
        StateManager.open(database, clock=clock) as two,
    ):
        clock.ahead_s = ahead_s
        one.fire("j", "start_map")
        clock.ahead_s = 0.0
        with one.lease("j", "A", 3_600.0, renewed=False) as lease:
            for _ in range(3):
                assert renew(one._loader, lease, one._observer)
                clock.ahead_s = ahead_s - clock.ahead_s  # there and back again
                with pytest.raises(LeaseHeld), two.lease("j", "B"):
                    pass
                with pytest.raises(LeaseHeld):
                    two.reap("j")
                assert two.stuck_jobs() == []
