"""Commands that meet a holder of another boot: they list it, stay to watch it, and then decide."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from milepost import ItemEvent, StateManager
from milepost.state.writing.lease import renew
from milepost.testing import FakeClock
from tests.integration.cli.conftest import CommandLine


@pytest.fixture
def after(store: Path, clock: FakeClock) -> CommandLine:
    """The story's store on a machine that was started again, with another clock."""
    return CommandLine(store=store, clock=FakeClock(clock.now_us()))


@pytest.mark.parametrize("stepped_s", [-86_400, -5, 0, 86_400])
def test_it_is_listed_watched_and_freed(after: CommandLine, stepped_s: float) -> None:
    """However the wall clock was set since; only with --apply does it take any time."""
    after.clock.step(stepped_s)
    (left,) = json.loads(after("jobs", "--stuck", "--json").stdout)["jobs"]
    assert (left["id"], left["sure"], left["left_s"]) == ("nightly", False, 30.0)
    assert "it has to be watched" in after("jobs", "--stuck").stdout
    assert "whose clock cannot be compared" in after("show", "nightly").stdout
    began_us = after.clock.monotonic_us()
    after("recover", "--expired")
    assert after.clock.monotonic_us() == began_us
    freed = after("recover", "--expired", "--apply")
    assert "milepost: 1 job: watched for 30 s" in freed.stderr
    assert "applied: 1 freed" in freed.stdout
    assert after.clock.monotonic_us() == began_us + 30_000_000
    assert "the lease of worker-1 had expired" in after("history", "nightly").stdout


@pytest.mark.parametrize("command", [["recover", "nightly"], ["rewind", "nightly", "4"]])
def test_a_command_on_the_job_stays_too(after: CommandLine, command: list[str]) -> None:
    done = after(*command, "--apply")
    assert "milepost: job nightly: watched for 30 s" in done.stderr
    assert "applied" in done.stdout


def test_a_reason_is_not_waited_for(after: CommandLine) -> None:
    done = after("recover", "nightly", "--apply", "--take-over", "the machine was restarted")
    assert "watched" not in done.stderr


class Staying(FakeClock):
    """Something happens when somebody first sleeps by it."""

    def __init__(self, at_us: int, then: Callable[[], object]) -> None:
        super().__init__(at_us, timeline="here")
        self.then: Iterator[Callable[[], object]] = iter([then])

    def sleep(self, seconds: float) -> None:
        for then in self.then:
            then()
        super().sleep(seconds)


def test_what_is_given_back_is_not_watched_any_longer(tmp_path: Path) -> None:
    path = tmp_path / "jobs.db"
    with StateManager.open(path, clock=FakeClock()) as manager, ExitStack() as holding:
        manager.create_job(["a"], job_id="j")
        manager.fire("j", "start_map")
        holding.enter_context(manager.lease("j", "far away", 30, renewed=False))
        manager.record("j", [ItemEvent("a", "start")], operator=True)
        clock = Staying(manager.now_us(), holding.close)
        done = CommandLine(store=path, clock=clock)("recover", "j", "--apply")
    assert "watched for 30 s" in done.stderr
    assert "applied" in done.stdout
    assert clock.monotonic_us() < 1_000_000


def test_what_is_known_to_be_dead_is_freed_before_others_are_watched(tmp_path: Path) -> None:
    path = tmp_path / "jobs.db"
    clock = FakeClock(timeline="here")
    with (
        StateManager.open(path, clock=clock) as here,
        StateManager.open(path, clock=FakeClock()) as far,
        ExitStack() as holding,
    ):
        for manager, job_id in ((here, "dead"), (far, "unsure")):
            manager.create_job(["a"], job_id=job_id)
            holding.enter_context(manager.lease(job_id, "worker-1", 30, renewed=False))
        owners: list[str | None] = []
        staying = Staying(
            here.now_us(),
            lambda: owners.extend(here.get_state(job).owner for job in ("dead", "unsure")),
        )
        staying.advance(60)
        freed = CommandLine(store=path, clock=staying)("recover", "--expired", "--apply")
    assert "1 job: watched for 30 s" in freed.stderr
    assert "applied: 2 freed" in freed.stdout
    assert owners == [None, "worker-1"]


class Renewing(FakeClock):
    """The holder renews whenever somebody sleeps."""

    def __init__(self, manager: StateManager, holders: FakeClock) -> None:
        super().__init__()
        self.manager, self.holders = manager, holders

    def sleep(self, seconds: float) -> None:
        super().sleep(seconds)
        self.holders.advance(seconds / 2)
        assert renew(self.manager._loader, self.manager._leases["j"], self.manager._observer)


def test_one_that_renews_meanwhile_keeps_its_job(tmp_path: Path) -> None:
    """It seemed dead by the wall clock, and is not."""
    path = tmp_path / "jobs.db"
    holders = FakeClock(1_600_000_000_000_000)
    with StateManager.open(path, clock=holders) as manager:
        manager.create_job(["a"], job_id="j")
        with manager.lease("j", "far away", renewed=False):
            milepost = CommandLine(store=path, clock=Renewing(manager, holders))
            told = milepost("recover", "--expired", "--apply")
            assert "left alone, its holder is alive: j" in told.stdout
            manager.fire("j", "start_map")
            before_us = milepost.clock.monotonic_us()
            refused = milepost("rewind", "j", "1", "--apply", exit_code=2)
            assert "j is held by far away, which is alive" in refused.stderr
            assert milepost.clock.monotonic_us() - before_us < 1_000_000
            assert manager.get_state("j").owner == "far away"
