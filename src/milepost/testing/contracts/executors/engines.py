"""What `milepost.executors.run` needs of an engine, or of any executor that it is given."""

from __future__ import annotations

import multiprocessing
import threading
from functools import partial
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import ClassVar

import pytest

from milepost.executors.calls import ExecutorSource
from milepost.executors.engines.protocol import Engine
from milepost.executors.local import run
from milepost.executors.stopping import Stop
from milepost.job.state import JobState
from milepost.state.manager import StateManager
from milepost.testing.contracts.executors.claims import ClaimContract
from milepost.testing.contracts.executors.contract import (
    ExecutorContract,
    Work,
    counted,
    ended,
    is_for_run,
    job,
    takes,
)
from milepost.testing.contracts.executors.trouble import COUNT, Trouble, Unsendable, value_of

__all__ = ["ENDS_S", "EngineContract"]

ENDS_S = 10.0
"""Seconds that what a run has made takes to end, at the most."""


class EngineContract(ExecutorContract, ClaimContract):
    """The needs of `run` of an engine, as tests: derive from it and give the fixture `executor`.

    That is whatever `run` takes as its `executor`: one of `concurrent.futures`, an object for which
    an engine is registered, an `Engine`, or a function that makes one for each run. It should have
    two workers or more. What takes long to start may come from a fixture of the module.

    What an engine says of itself and of its calls is held against what calls are seen to do.

    Say what it cannot do, and what needs that is tried the other way round or skipped.
    """

    kills: ClassVar[bool] = True
    """True if its workers are processes: those of some tests kill themselves."""

    sends: ClassVar[bool] = True
    """True if functions go to workers as bytes, so that not every function can be given."""

    retries: ClassVar[bool] = False
    """True if it makes a call again by itself whose worker died, which no log can count."""

    @pytest.fixture
    def executor(self) -> ExecutorSource:
        """What `run` is given: of whoever derives from this class."""
        name = type(self).__name__
        problem = f"{name} has no fixture executor, which is what `run` is given"
        ours = EngineContract.__mro__
        if any("work" in vars(each) for each in type(self).__mro__ if each not in ours):
            problem += f"; it has one named work: derive {name} from ExecutorContract"
        pytest.fail(problem)

    @pytest.fixture(autouse=True)
    def _executor_is_one(self, executor: ExecutorSource) -> None:
        """What `run` cannot be given at all is told here, and not by an error of each test."""
        if callable(executor) and not is_for_run(executor) and not takes(executor, 0):
            pytest.fail(
                f"{type(self).__name__}: the fixture executor gives {executor!r}, which cannot be"
                " called without arguments. `run` is given an executor, an engine, or a function"
                " of no argument that makes one. For a function of a manager, the id of a job and"
                " a function, which works on the job by itself, there is ExecutorContract, with a"
                " fixture work"
            )

    @pytest.fixture
    def work(self, executor: ExecutorSource) -> Work:
        """`run` with it."""
        return partial(run, executor=executor)

    def test_a_worker_that_is_killed_once_costs_no_attempt(
        self, executor: ExecutorSource, tmp_path: Path
    ) -> None:
        """What was called is called again, and every call had begun in the log."""
        self._need_kills()
        trouble = Trouble(tmp_path, "dies once")
        with job() as manager:
            run(manager, "j", trouble, executor=executor)
            assert ended(manager) == ("completed", COUNT, 0)
            assert set(counted(manager).values()) == {1}
            assert trouble.calls()["3"] == 2
            if not self.retries:
                assert _begun(manager) >= trouble.calls().total()

    def test_an_item_that_kills_each_worker_is_dead_and_says_so(
        self, executor: ExecutorSource, tmp_path: Path
    ) -> None:
        """No other item loses an attempt by it."""
        self._need_kills()
        trouble = Trouble(tmp_path, "always dies")
        with job(max_crashes=2) as manager:
            run(manager, "j", trouble, executor=executor)
            state = manager.get_state("j")
            assert (state.phase, state.progress.done) == ("completed", COUNT - 1)
            (letter,) = manager.dead_letters("j")
            assert (letter.key, letter.attempts, letter.crashes) == ("3", 0, 2)
            assert [one.cause for one in letter.failures] == ["executor_lost"] * 2
            assert "died while it ran alone" in letter.failures[-1].message
            others = counted(manager)
            del others["3"]
            assert set(others.values()) == {1}, "the others lost none"
            if not self.retries:
                assert trouble.calls()["3"] == 3, "the first time it was one of several"
                assert _begun(manager) >= trouble.calls().total()

    def test_a_note_of_a_call_comes_back_to_the_next_one(
        self, executor: ExecutorSource, engine: Engine, tmp_path: Path
    ) -> None:
        """`notes`. From where its workers are, a way leads to the run, which makes it durable."""
        if engine.notes == "none":
            pytest.skip("it does not say where its workers are: notes is 'none'")
        trouble = Trouble(tmp_path, "notes")
        with job() as manager:
            run(manager, "j", trouble, executor=executor)
            failures = [one for each in manager.failures("j").values() for one in each]
            wrong = {one.message for one in failures if "for the next call" not in one.message}
            assert wrong == set(), f"notes of {engine.name} is {engine.notes!r}"
            assert ended(manager) == ("completed", COUNT, COUNT)
            assert dict(manager.results("j")) == {str(n): value_of(str(n)) for n in range(COUNT)}

    def test_a_call_without_end_is_a_timeout(
        self, executor: ExecutorSource, tmp_path: Path
    ) -> None:
        """The run goes on, and calls the item again. So it does with what else took too long.

        On a machine that is busy a worker may take as long to begin.
        """
        trouble = Trouble(tmp_path, "hangs once")
        with job(max_attempts=9) as manager:
            run(manager, "j", trouble, executor=executor, timeout_s=3)
            assert ended(manager)[:2] == ("completed", COUNT)
            failures = manager.failures("j")
            assert "3" in failures
            assert {one.cause for each in failures.values() for one in each} == {"timeout"}
            assert trouble.calls()["3"] > 1
            if not self.retries:
                assert trouble.calls() <= counted(manager), "an attempt is one call at the most"
            assert dict(manager.results("j"))["3"] == value_of("3")

    def test_what_a_run_has_made_is_gone_with_it(
        self, executor: ExecutorSource, tmp_path: Path
    ) -> None:
        """No thread and no process is left that would keep this one from its end.

        What was made before the run stays open, for other runs.
        """
        if not callable(executor):
            pytest.skip("it was made before the run, which leaves it open")
        before = _left(set())
        with job() as manager:
            run(manager, "j", Trouble(tmp_path), executor=executor)
        assert _left(before) == set(), "are left"

    def test_a_stop_waits_for_what_is_under_way(
        self, executor: ExecutorSource, tmp_path: Path
    ) -> None:
        """Every call that was made is recorded, and none is made again by the next run."""
        trouble = Trouble(tmp_path)
        stop = Stop()

        def asks(state: JobState) -> None:
            if state.progress.done > 5 and not stop.requested:
                stop.request()

        count = 1_000  # more than a run holds ahead, twice: in the turn that stops it others begin
        with job(count) as manager:
            first = run(
                manager,
                "j",
                trouble,
                executor=executor,
                stop=stop,
                on_progress=asks,
                grace_s=60,
            )
            assert first.interrupted
            assert 5 < first.done_count < count
            assert trouble.calls().total() == first.done_count
            second = run(manager, "j", trouble, executor=executor)
            assert second.phase == "completed"
            assert trouble.calls() == counted(manager)

    def test_what_cannot_be_sent_ends_the_run_before_an_item_begins(
        self, executor: ExecutorSource
    ) -> None:
        """No attempt is spent on it; where nothing is sent, any function will do."""
        function = Unsendable(threading.Lock())
        with job() as manager:
            if self.sends:
                with pytest.raises(TypeError, match="cannot be sent"):
                    run(manager, "j", function, executor=executor)
                assert _begun(manager) == 0
                assert counted(manager).total() == 0
            else:
                assert run(manager, "j", function, executor=executor).done_count == COUNT

    def _need_kills(self) -> None:
        if not self.kills:
            pytest.skip("its workers are not to be killed: kills is False")


def _left(before: set[object]) -> set[object]:
    """The threads and processes beside those of `before` that do not end within ten seconds.

    Those that are ended with this process in any case, as daemons are, do not count.
    """
    found: list[threading.Thread | BaseProcess] = [
        *threading.enumerate(),
        *multiprocessing.active_children(),
    ]
    new = [each for each in found if not each.daemon and each not in before]
    for each in new if before else ():
        each.join(ENDS_S)
    return {each for each in new if each.is_alive()}


def _begun(manager: StateManager) -> int:
    """How many calls have begun in the log."""
    return sum(event.count for event in manager.get_state_history("j") if event.event == "start")
