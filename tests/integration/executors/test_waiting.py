"""Runs that find another holder: for whom they wait, how long, what they say; who is replaced."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from milepost import LeaseHeld, StateManager
from milepost.errors import ArgumentInvalid
from milepost.executors import run
from milepost.process.identity import boot_timeline
from milepost.state.writing.lease import Lease, renew
from milepost.stores.memory import MemoryStore
from milepost.testing import FakeClock

README = Path(__file__).parents[3] / "README.md"


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def managers(clock: FakeClock) -> tuple[StateManager, StateManager]:
    """Two on one store, in one process, so that only time tells whether a holder lives."""
    store = MemoryStore()
    one, two = (StateManager(store, clock=clock) for _ in range(2))
    one.create_job(["a", "b"], job_id="j", config={"has_reduce": False})
    return one, two


def work(item: Any) -> str:
    return f"done {item.key}"


def test_one_that_does_not_renew_is_waited_for_and_replaced(
    managers: tuple[StateManager, StateManager],
    clock: FakeClock,
    pool: ThreadPoolExecutor,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """By default; the callback and stderr say for whom and how long at most, once."""
    one, two = managers
    waited: list[LeaseHeld] = []

    def on_wait(held: LeaseHeld) -> None:
        waited.append(held)
        clock.advance(30)

    with one.lease("j", "silent\x1b[31m", renewed=False):
        outcome = run(two, "j", work, executor=pool, on_wait=on_wait)
    assert outcome.phase == "completed"
    (held,) = waited
    assert (held.owner, held.left_s, held.ttl_s) == ("silent\x1b[31m", 30.0, 30.0)
    line = "milepost: job j is held by silent\\x1b[31m: waiting 31 s at most\n"
    assert capsys.readouterr().err == line
    reasons = [e.payload["reason"] for e in two.get_state_history("j") if e.kind == "lease"]
    assert reasons == ["", "the lease of silent\x1b[31m had expired"]


def test_one_that_renews_is_alive_and_the_error_says_what_to_do(
    managers: tuple[StateManager, StateManager],
    clock: FakeClock,
    pool: ThreadPoolExecutor,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """After its ttl by the clock of the run. Nothing was written."""
    one, two = managers
    ticks = count(step=16)
    with one.lease("j", "busy", renewed=False) as lease:
        clock.advance(9)

        def on_wait(held: LeaseHeld) -> None:
            assert held.left_s == 21.0
            assert renew(one._loader, lease, one._observer)

        seq = two.get_state("j").seq
        with pytest.raises(LeaseHeld) as caught:
            run(two, "j", work, executor=pool, on_wait=on_wait, clock=lambda: float(next(ticks)))
        assert two.get_state("j").seq == seq
    assert caught.value.renews
    said = str(caught.value)
    assert "job j is held by busy, which is alive: it was seen renewing its lease" in said
    assert 'takeover="why"' in said
    assert "`milepost recover j --take-over WHY --apply`" in said
    assert 'wait="for ever"' in said
    assert capsys.readouterr().err.count("\n") == 1


def test_one_that_gives_the_job_back_is_followed(
    managers: tuple[StateManager, StateManager], pool: ThreadPoolExecutor
) -> None:
    """Long before its lease would expire."""
    one, two = managers
    with ExitStack() as held:
        held.enter_context(one.lease("j", "soon done", 3_600, renewed=False))
        outcome = run(two, "j", work, executor=pool, on_wait=lambda _: held.close())
    assert outcome.phase == "completed"


def test_another_holder_is_told_of_and_waited_for_anew(
    managers: tuple[StateManager, StateManager],
    clock: FakeClock,
    pool: ThreadPoolExecutor,
    capsys: pytest.CaptureFixture[str],
) -> None:
    one, two = managers
    waited: list[str] = []
    with ExitStack() as first, ExitStack() as second:
        first.enter_context(one.lease("j", "first", renewed=False))

        def on_wait(held: LeaseHeld) -> None:
            waited.append(held.owner)
            if held.owner == "first":
                first.close()
                second.enter_context(one.lease("j", "second", renewed=False))
            else:
                second.close()

        assert run(two, "j", work, executor=pool, on_wait=on_wait).phase == "completed"
    assert waited == ["first", "second"]
    assert re.findall("held by (.*):", capsys.readouterr().err) == waited


class Counted(StateManager):
    """Ends what is in the way at the fourth try."""

    tries = 0
    ends: Callable[[], object]

    @contextmanager
    def lease(self, *args: Any, **options: Any) -> Iterator[Lease]:
        self.tries += 1
        if self.tries == 4:
            self.ends()
        with super().lease(*args, **options) as lease:
            yield lease


def test_for_ever_is_longer_than_its_ttl_and_no_is_not_at_all(
    managers: tuple[StateManager, StateManager], clock: FakeClock, pool: ThreadPoolExecutor
) -> None:
    one, _ = managers
    two = Counted(one._store, clock=clock)
    ticks = count(step=1_000)
    with ExitStack() as held:
        held.enter_context(one.lease("j", "slow", renewed=False))
        two.ends = held.close
        with pytest.raises(LeaseHeld):
            run(two, "j", work, executor=pool, wait="no")
        assert two.tries == 1
        outcome = run(
            two, "j", work, executor=pool, wait="for ever", clock=lambda: float(next(ticks))
        )
    assert (outcome.phase, two.tries) == ("completed", 4)


def test_a_wait_of_the_callers_own_is_asked_before_every_try(
    managers: tuple[StateManager, StateManager],
    pool: ThreadPoolExecutor,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """It says what it wants to say itself, and raises to end it."""
    one, two = managers
    asked: list[str] = []

    def wait(held: LeaseHeld) -> None:
        asked.append(held.owner)
        if len(asked) == 3:
            raise TimeoutError

    waited: list[LeaseHeld] = []
    with one.lease("j", "slow", renewed=False), pytest.raises(TimeoutError):
        run(two, "j", work, executor=pool, wait=wait, on_wait=waited.append)
    assert (asked, len(waited)) == (["slow"] * 3, 1)
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("wrong", ["ever", True, 5, ()])
def test_what_is_no_wait_is_refused(
    managers: tuple[StateManager, StateManager], pool: ThreadPoolExecutor, wrong: Any
) -> None:
    with pytest.raises(ArgumentInvalid, match="'wait'"):
        run(managers[1], "j", work, executor=pool, wait=wrong)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_wait_and_nothing_was_done(
    managers: tuple[StateManager, StateManager], pool: ThreadPoolExecutor, number: signal.Signals
) -> None:
    one, two = managers
    before = signal.getsignal(number)
    with one.lease("j", "busy", renewed=False):
        events = two.get_state_history("j")
        outcome = run(two, "j", work, executor=pool, on_wait=lambda _: os.kill(os.getpid(), number))
        assert two.get_state_history("j") == events
    assert (outcome.interrupted, outcome.stopped_by) == (True, number)
    assert (outcome.done_count, outcome.phase) == (0, "setup")
    assert signal.getsignal(number) == before


@pytest.mark.skipif(boot_timeline() is None, reason="this system says nothing of processes")
def test_a_holder_that_is_killed_while_it_is_waited_for(
    tmp_path: Path, pool: ThreadPoolExecutor
) -> None:
    """The run goes on at once; the ttl is an hour."""
    database = tmp_path / "jobs.db"
    hold = (
        "import sys; from milepost import StateManager; manager = StateManager.open(sys.argv[1])\n"
        "with manager.lease('j', 'worker', 3600):\n print(flush=True); sys.stdin.readline()"
    )
    with StateManager.open(database) as manager:
        manager.create_job(["a"], job_id="j", config={"has_reduce": False})
        child = subprocess.Popen(
            [sys.executable, "-c", hold, str(database)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )

        def on_wait(held: LeaseHeld) -> None:
            assert held.owner == "worker"
            child.kill()
            child.communicate()

        assert child.stdout is not None
        child.stdout.readline()
        assert run(manager, "j", work, executor=pool, on_wait=on_wait).phase == "completed"
        why = [e.payload["reason"] for e in manager.get_state_history("j") if e.kind == "lease"][1]
        assert f"its process (pid {child.pid} on " in why


@pytest.mark.skipif(boot_timeline() is None, reason="this system says nothing of processes")
def test_the_program_of_the_readme_goes_on_at_once_when_it_was_killed(tmp_path: Path) -> None:
    """By kill -9 in the middle of a call: no wait, no traceback, and the right result."""
    (program,) = [
        block
        for block in re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.S)
        if "run(" in block
    ]
    wanted = "len(item.value.split())"
    assert wanted in program
    told = r"sys.stdout.write('in a call\n'), sys.stdout.flush()"  # whole, of several threads
    stuck = f"({told}, sys.stdin.read(), {wanted})[-1]"
    held = f"import sys\n{program.replace(wanted, stuck)}"
    child = subprocess.Popen(
        [sys.executable, "-c", held], cwd=tmp_path, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert child.stdout is not None
    assert child.stdout.readline() == b"in a call\n"
    child.kill()
    child.communicate()
    again = subprocess.run(
        [sys.executable, "-c", program],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (again.stdout, again.returncode) == ("10\n", 0)
    first, last = again.stderr.splitlines()
    assert first.startswith("job words: map (2 of 3), 0 of 2"), "and nobody was waited for"
    assert last.startswith("job words: completed, 2 of 2")
    with StateManager.open(tmp_path / "jobs.db", read_only=True) as manager:
        (_, taken) = [e for e in manager.get_state_history("words") if e.kind == "lease"]
        assert taken.payload["reason"].endswith(") is gone")
