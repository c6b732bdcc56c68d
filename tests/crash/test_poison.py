"""Items that kill the process they run in: only they are dead in the end, and they say why."""

from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import product
from pathlib import Path

import pytest

from milepost import JobState, StateManager
from milepost.executors import run
from tests.crash.poison import JOB

ITEMS = 12
CRASHES = 3
SOAK = bool(os.environ.get("MILEPOST_SOAK"))

CASES = [
    ("threads", 4, ["k02"], 3),
    ("threads", 1, ["k00"], 1),
    ("coroutines", 8, ["k07"], 1),
    ("threads", 3, ["k01", "k11"], 2),
]
if SOAK:
    CASES += [
        (pool, workers, keys, most)
        for pool, workers, keys, most in product(
            ("threads", "coroutines"),
            range(1, 9),
            (["k00"], ["k11"], ["k00", "k01", "k06"]),
            (1, 3),
        )
    ]


def lives(store: Path, journal: Path, pool: str, workers: int, poisons: list[str]) -> int:
    """How many times the process had to be started until it ended by itself."""
    command = [sys.executable, "-m", "tests.crash.poison", str(store), str(journal)]
    command += [pool, str(workers), ",".join(poisons)]
    for number in range(1, 2 + (CRASHES + 1) * len(poisons)):
        ended = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
        if ended.returncode == 0:
            return number
        assert ended.returncode == -9, ended.stderr
    raise AssertionError("the process was killed more often than its poisons may kill it")


def attempts_of(state: JobState) -> set[int]:
    done = state.items.members("done")
    return {state.items.member(ordinal)[1]["attempts"] for ordinal in done}


@pytest.mark.parametrize(("pool", "workers", "poisons", "most"), CASES)
def test_only_the_items_that_kill_are_dead(
    tmp_path: Path, pool: str, workers: int, poisons: list[str], most: int
) -> None:
    store, journal = tmp_path / "jobs.db", tmp_path / "journal"
    with StateManager.open(store) as manager:
        config = {"max_attempts": most, "max_dead": len(poisons)}
        manager.create_job([f"k{n:02}" for n in range(ITEMS)], job_id=JOB, config=config)
    lives(store, journal, pool, workers, poisons)
    with StateManager.open(store) as manager:
        state = manager.get_state(JOB)
        assert (state.phase, sorted(state.keys_in("dead"))) == ("completed", poisons)
        assert attempts_of(state) == {1}, "no death used up an attempt of another"
        for letter in manager.dead_letters(JOB):
            assert (letter.attempts, letter.crashes) == (0, CRASHES)
            assert [failure.cause for failure in letter.failures] == ["executor_lost"] * CRASHES
            assert letter.failures[-1].message.endswith("ran alone: 3 of 3 times")
        assert all(report.sound for report in manager.verify(JOB))
    called = journal.read_text().split()
    alone = {key: called.count(key) for key in poisons}
    assert all(CRASHES <= count <= CRASHES + len(poisons) for count in alone.values()), alone
    others = [called.count(f"k{n:02}") for n in range(ITEMS) if f"k{n:02}" not in poisons]
    assert max(others) <= 1 + len(poisons), "the others are called again once a death at the most"


@pytest.mark.parametrize("pool", ["coroutines"])
def test_preemptions_kill_nobody_and_use_no_attempt(tmp_path: Path, pool: str) -> None:
    """Two hundred calls under way, and three times the process is killed for no fault of theirs."""
    store = tmp_path / "jobs.db"
    keys = [f"k{n:03}" for n in range(200)]
    with StateManager.open(store) as manager:
        manager.create_job(keys, job_id=JOB, config={"max_attempts": 1})
    command = [sys.executable, "-m", "tests.crash.poison", str(store), str(tmp_path / "journal")]
    command += [pool, "200", ",".join(keys)]
    for _ in range(3):  # with 200 in flight, then with another suspect each time
        killed = subprocess.run(command, capture_output=True, check=False, timeout=120)
        assert killed.returncode == -9, killed.stderr
    with StateManager.open(store) as manager:
        manager.apply(manager.recover_from_checkpoint(JOB), operator=True)
        state = manager.get_state(JOB)
        contexts = [state.items.member(n)[1] for n in range(200)]
        assert state.progress.pending == 200
        assert {one["attempts"] for one in contexts} == {0}
        assert all(one["suspect"] for one in contexts)
        assert sorted(one["crashes"] for one in contexts)[-3:] == [0, 1, 1]
        outcome = run(
            manager,
            JOB,
            lambda item: item.key,
            list,
            executor=partial(ThreadPoolExecutor, 4),
            takeover="it was killed",
        )
        assert (outcome.phase, attempts_of(outcome.state)) == ("completed", {1})
