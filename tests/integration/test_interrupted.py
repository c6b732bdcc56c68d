"""An interrupt in the thread that leads a group commit is that thread's alone.

It is raised at every function that the leader enters, one after the other, as a signal handler
would. Whoever else waited is answered with what the log then holds, and nobody hangs.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from milepost import ItemEvent, JobState, StateManager
from milepost.errors import MilepostError

KEYS = ["blocker", "leader", "b", "c", "d"]
PLACES = (
    "/milepost/state/",
    "/milepost/stores/",
    "/milepost/job/fold.py",
    "/milepost/log/codec.py",
)
SOAK = bool(os.environ.get("MILEPOST_SOAK"))


class Interrupting:
    """Raises KeyboardInterrupt in this thread at the `nth` function that it enters."""

    def __init__(self, nth: int) -> None:
        self.left = nth
        self.where = ""

    def __call__(self, frame: FrameType, event: str, arg: object) -> None:
        if event != "call" or not any(place in frame.f_code.co_filename for place in PLACES):
            return
        if frame.f_code.co_qualname == "Writing.__exit__":
            return  # before its first line nothing can be done: `with` does not try again
        self.left -= 1
        if self.left == 0:
            self.where = f"{Path(frame.f_code.co_filename).name}:{frame.f_code.co_qualname}"
            raise KeyboardInterrupt


class Crowd:
    """Threads that record at once: one that writes, and behind it a leader and its followers."""

    def __init__(self, manager: StateManager, job_id: str) -> None:
        self.manager = manager
        self.job_id = job_id
        self.line = manager._appender._line
        self.outcomes: dict[str, JobState | BaseException] = {}
        self.threads: list[threading.Thread] = []

    def send(self, key: str, before: Callable[[], Any] = lambda: None) -> None:
        def work() -> None:
            try:
                before()
                self.outcomes[key] = self.manager.record(self.job_id, [ItemEvent(key, "start")])
            except BaseException as error:  # noqa: BLE001 the test looks at it
                self.outcomes[key] = error
            finally:
                sys.setprofile(None)

        thread = threading.Thread(target=work, daemon=True)
        thread.start()
        self.threads.append(thread)

    def gathered(self) -> None:
        """Return once each thread behind the first waits, or was interrupted before it did."""
        while len(self.line.waiting) < sum(thread.is_alive() for thread in self.threads[1:]):
            os.sched_yield()


def trial(manager: StateManager, nth: int) -> tuple[Crowd, Interrupting]:
    """One crowd, whose second thread leads the others and is interrupted."""
    job_id = manager.create_job(KEYS).id
    manager.fire(job_id, "start_map")
    crowd = Crowd(manager, job_id)
    interrupting = Interrupting(nth)
    gate, at_gate = threading.Event(), threading.Event()

    def hold() -> None:
        """Hold the line, as a slow disk does, until all wait behind it."""
        line = crowd.line
        with line._lock:
            assert not line._busy
        serve = line._serve

        def slowly(places: list[Any]) -> None:
            line._serve = serve
            at_gate.set()
            assert gate.wait(30)
            serve(places)

        line._serve = slowly

    crowd.send("blocker", hold)
    assert at_gate.wait(30)
    for key in KEYS[1:]:
        if key == "leader":
            crowd.send(key, lambda: sys.setprofile(interrupting))
        else:
            crowd.send(key)
        crowd.gathered()
    gate.set()
    for thread in crowd.threads:
        thread.join(60)
        assert not thread.is_alive(), f"a thread hangs after an interrupt in {interrupting.where}"
    return crowd, interrupting


@pytest.mark.parametrize("kind", ["memory", "sqlite"])
def test_an_interrupt_of_the_leader_is_its_own(tmp_path: Path, kind: str) -> None:
    url = "memory:" if kind == "memory" else str(tmp_path / "jobs.db")
    every = SOAK or kind == "memory"  # else each third call
    told_in: list[str] = []
    with StateManager.open(url, durability="process") as manager:
        nth, ended = 3, False
        while not ended:
            crowd, interrupting = trial(manager, nth)
            ended = not interrupting.where
            told_in.append(interrupting.where)
            started = set(manager.get_state(crowd.job_id).keys_in("running"))
            for key, outcome in crowd.outcomes.items():
                if key == "leader" and not ended:
                    assert isinstance(outcome, KeyboardInterrupt | JobState), interrupting.where
                else:
                    assert isinstance(outcome, JobState), (key, outcome, interrupting.where)
                    assert key in started, (key, interrupting.where)
            nth += 1 if every else 3
        assert manager.verify(crowd.job_id)[0].sound
    assert any(("_decide" if every else "append.py:") in place for place in told_in)
    assert any("_hand_over" in place for place in told_in)
    assert len(told_in) > 20


def test_an_appender_that_forgets_its_followers_is_found_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Negative control: with every request answered as unknown the followers are told lies."""
    from milepost.state.writing.append import Appender

    def all_unknown(self: Appender, places: list[Any]) -> None:
        for place in places:
            self._fail(place.tickets, MilepostError())
            place.answered = True

    monkeypatch.setattr(Appender, "_resolve", all_unknown)
    with StateManager.open("memory:") as manager:
        for nth in range(3, 200):
            crowd, interrupting = trial(manager, nth)
            if any(isinstance(crowd.outcomes[key], MilepostError) for key in "bcd"):
                return
            assert interrupting.where
    raise AssertionError("no follower was told a lie")
