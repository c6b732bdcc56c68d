"""Progress where nobody sits at a terminal: lines in a log or on stderr, or nothing."""

from __future__ import annotations

import asyncio
import io
import logging
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

import pytest

from milepost import ArgumentInvalid, Item, ItemEvent, JobState, StateManager
from milepost.executors import CoroutineExecutor, run, run_async
from milepost.progress.figures import Figures, Meter
from milepost.progress.lines import Lines
from milepost.progress.seen import Seen
from milepost.progress.wording import line, span

NOON = datetime(2026, 5, 4, 12, 0, 0, tzinfo=UTC)


@pytest.fixture
def manager() -> Iterator[StateManager]:
    with StateManager.open("memory:") as opened:
        yield opened


def one(item: Item) -> int:
    return 1


def go(manager: StateManager, *, map_fn: Callable[[Item], object] = one, **asked: object) -> None:
    manager.create_job(["a", "b", "c"], job_id="j", config={"max_dead": 3, "max_attempts": 1})
    with ThreadPoolExecutor(2) as pool:
        run(manager, "j", map_fn, lambda results: 1, executor=pool, **asked)  # type: ignore[arg-type]


def test_a_log_gets_lines(manager: StateManager, caplog: pytest.LogCaptureFixture) -> None:
    """At INFO, where some handler listens; the last one says how it ended."""
    with caplog.at_level(logging.INFO, "milepost.progress"):
        go(manager, progress=True)
    lines = [each.message for each in caplog.records if each.name == "milepost.progress"]
    assert lines[0].startswith("job j: setup (1 of 3), after 0:00:0")
    assert lines[-1].startswith("job j: completed, 3 of 3 (100%), ")


def test_a_job_that_has_failed_says_no_more_than_that(
    manager: StateManager, caplog: pytest.LogCaptureFixture
) -> None:
    """That no work is done then goes without saying, though the job may be taken up again."""

    def broken(results: object) -> int:
        raise ValueError("no")

    manager.create_job(["a"], job_id="j")
    with caplog.at_level(logging.INFO, "milepost.progress"):
        run(manager, "j", one, broken, executor=ThreadPoolExecutor, progress=True)
    lines = [each.message for each in caplog.records if each.name == "milepost.progress"]
    assert lines[-1].startswith("job j: failed, 1 of 1 (100%), ")


def test_a_log_that_wants_no_lines_gets_none(
    manager: StateManager, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nor does stderr then: whoever set the log up has decided."""
    with caplog.at_level(logging.WARNING, "milepost.progress"):
        go(manager, progress=True)
    assert not [each for each in caplog.records if each.name == "milepost.progress"]
    assert capsys.readouterr().err == ""


@pytest.fixture
def silent(monkeypatch: pytest.MonkeyPatch) -> None:
    """A program that has set no log up; here the handlers of pytest are everywhere."""
    monkeypatch.setattr(logging.getLogger("milepost.progress"), "hasHandlers", lambda: False)


@pytest.mark.usefixtures("silent")
def test_without_a_log_lines_go_to_stderr(
    manager: StateManager, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Into a batch system's file, say; what failed and died is in them."""

    def fails(item: Item) -> object:
        raise ValueError

    stream = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    go(manager, map_fn=fails, progress=True)
    assert "job j: completed, 3 of 3 (100%)" in stream.getvalue().splitlines()[-1]
    assert "3 failures, 3 dead" in stream.getvalue().splitlines()[-1]


@pytest.mark.usefixtures("silent")
@pytest.mark.parametrize("how", ["none", "closed", "null"])
def test_where_nobody_looks_nothing_runs(
    manager: StateManager, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    """No thread, no look at the job."""
    beside: set[str] = set()
    with Path(os.devnull).open("w", encoding="utf-8") as stream:
        if how == "closed":
            stream.close()
        with monkeypatch.context() as patched:
            patched.setattr(sys, "stderr", None if how == "none" else stream)
            go(
                manager,
                progress=True,
                on_progress=lambda _: beside.update(each.name for each in threading.enumerate()),
            )
    assert beside
    assert "milepost-progress" not in beside


def test_it_goes_on_beside_a_callback_of_ones_own(
    manager: StateManager, caplog: pytest.LogCaptureFixture
) -> None:
    """Which is called after each commit, as without."""
    seen: list[JobState] = []
    with caplog.at_level(logging.INFO, "milepost.progress"):
        go(manager, progress=True, on_progress=seen.append)
    assert seen[-1].phase == "completed"
    assert [state.seq for state in seen] == sorted({state.seq for state in seen})
    assert "completed" in caplog.messages[-1]


def test_what_a_callback_raises_ends_the_run_and_harms_nothing(manager: StateManager) -> None:
    """What was recorded stands, no attempt is used up, and the next run goes on from there."""

    def stops(state: JobState) -> None:
        if state.progress.done == 1:
            raise KeyError("enough")

    with pytest.raises(KeyError, match="enough"):
        go(manager, on_progress=stops)
    state = manager.get_state("j")
    assert state.owner is None
    assert state.progress.done == 1
    called: list[str] = []

    def counted(item: Item) -> int:
        called.append(item.key)
        return 1

    outcome = run(manager, "j", counted, lambda results: 1, executor=CoroutineExecutor)
    assert (outcome.phase, len(called)) == ("completed", 2)
    attempts = [manager.get_state("j").items.member(n)[1]["attempts"] for n in range(3)]
    assert attempts == [1, 1, 1]


def test_what_cannot_be_shown_ends_no_run(
    manager: StateManager, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One warning, and no more lines."""

    def broken(text: str) -> None:
        raise BrokenPipeError(text)

    monkeypatch.setattr("milepost.progress.places.log_line", broken)
    with caplog.at_level(logging.INFO, "milepost.progress"):
        go(manager, progress=True)
    assert manager.get_state("j").phase == "completed"
    (warned,) = (each.message for each in caplog.records if each.levelname == "WARNING")
    assert warned.startswith("progress is shown no more: BrokenPipeError")


def test_an_awaited_run_shows_it_too(
    manager: StateManager, caplog: pytest.LogCaptureFixture
) -> None:
    """From the run's own thread."""
    manager.create_job(["a"], job_id="j")
    with caplog.at_level(logging.INFO, "milepost.progress"):
        asyncio.run(
            run_async(manager, "j", one, lambda _: 1, executor=CoroutineExecutor, progress=True)
        )
    assert "completed, 1 of 1" in caplog.messages[-1]


def test_it_is_a_flag(manager: StateManager) -> None:
    """Nothing else is taken for one."""
    with pytest.raises(ArgumentInvalid, match="progress"):
        go(manager, progress="bar")


def test_rich_is_imported_for_a_terminal_only() -> None:
    """Neither by the executors, nor by lines."""
    code = (
        "import sys, milepost.executors as e, milepost as m\n"
        "s = m.StateManager.open('memory:'); s.create_job(['a'], job_id='j')\n"
        "e.run(s, 'j', lambda i: 1, lambda r: 1, executor=e.CoroutineExecutor, progress=True)\n"
        "assert 'rich' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stderr.splitlines()[-1].startswith("job j: completed, 1 of 1 (100%)")


def figures(manager: StateManager, elapsed_s: float) -> Figures:
    seen = Seen(manager.get_state("j"), done_count=0, failure_count=0)
    return Meter(seen, 0.0).figures(seen, elapsed_s)


def test_lines_come_at_growing_intervals(manager: StateManager) -> None:
    """5 s after the first, then 10, 20, ... up to 10 min; an hour has a dozen."""
    manager.create_job(["a"], job_id="j")
    lines: list[float] = []
    at_s = 0.0
    display = Lines(lambda _: lines.append(at_s), lambda: NOON)
    for second in range(7_200):
        at_s = float(second)
        display.show(figures(manager, at_s))
    assert lines[:8] == [0, 5, 15, 35, 75, 155, 315, 635]
    assert {later - sooner for sooner, later in pairwise(lines[8:])} == {600.0}


def test_a_line_says_all_of_it(manager: StateManager) -> None:
    """Counts, pace, what is left, what waits until when, and what it cost."""
    manager.create_job([f"k{n}" for n in range(1_200)], job_id="j")
    state = manager.fire("j", "start_map")
    meter = Meter(Seen(state, 0, 0), 0.0)
    keys = [f"k{n}" for n in range(400)]
    manager.record("j", [ItemEvent(key, "start") for key in keys])
    state = manager.record("j", [ItemEvent(key, "succeed", {"result": 1}) for key in keys])
    seen = Seen(state, 400, 7, waiting_count=3, next_due_s=5.0, cost=1.234)
    assert line(meter.figures(seen, 20.0), NOON) == (
        "job j: map (2 of 3), 400 of 1,200 (33%), 20.0/s, 0:00:45 left, 3 waiting, 7 failures,"
        " paused until 12:00:05, cost 1.23, after 0:00:20"
    )


def test_times_read_as_times() -> None:
    """Whole seconds, days where there are any."""
    assert [span(s) for s in (0.4, 59.6, 3_725, 90_061, 10**9)] == [
        "0:00:00",
        "0:01:00",
        "1:02:05",
        "1 d 01:01:01",
        "more than 99 d",
    ]


class _WriteAlone:
    """As programs put in the place of stderr, and as `print` takes it."""

    def __init__(self) -> None:
        self.text = ""

    def write(self, text: str) -> int:
        self.text += text
        return len(text)


def test_what_stands_in_for_stderr_needs_no_more_than_print_does(
    manager: StateManager, monkeypatch: pytest.MonkeyPatch
) -> None:
    stands_in = _WriteAlone()
    monkeypatch.setattr(sys, "stderr", stands_in)
    monkeypatch.setattr(logging.getLogger(), "handlers", [])
    go(manager, progress=True)
    assert manager.get_state("j").phase == "completed"
    assert "job j: completed" in stands_in.text
