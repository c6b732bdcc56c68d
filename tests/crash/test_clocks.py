"""Executors whose wall clocks jump by up to a day at every look: one works, the others wait.

Holders are killed with SIGKILL. Each that lives keeps its job until it has ended it, and each that
died is followed at once. The control decides by the wall clock, as was done before, and loses jobs
of holders that live.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from milepost import StateManager
from milepost.process.identity import boot_timeline

EXECUTORS = 3
ITEMS = {"steady": 60, "wall": 120}
ROUNDS = 10 if os.environ.get("MILEPOST_SOAK") else 1

WORK = """
import random, sys, threading, time
from concurrent.futures import ThreadPoolExecutor
from milepost import LeaseLost, StateManager
from milepost.executors import run
from milepost.state.writing import observing
from milepost.state.writing.liveness import Standing, Verdict

database, seed, by_the_wall = sys.argv[1], int(sys.argv[2]), sys.argv[3] == "wall"

class Jumping:
    def __init__(self):
        self.random = random.Random(seed)
    def now_us(self):
        ahead_s = self.random.choice([0, 5, -5, 3_600, -3_600, 86_400, -86_400])
        return time.time_ns() // 1000 + ahead_s * 1_000_000

clock = Jumping()

def judged_by_the_wall(stored, here, seen_us):
    left_us = stored.expires_at_us - clock.now_us()
    standing = Standing.ALIVE if left_us > 0 else Standing.LAPSED
    return Verdict(standing=standing, left_us=max(left_us, 0), ttl_us=1, why="", reason="expired")

if by_the_wall:
    observing.judge = judged_by_the_wall

def work(item):
    threading.Event().wait(0.03)  # what a call takes
    return item.value

with StateManager.open(database, durability="process", clock=clock) as manager:
    print("ready", flush=True)
    sys.stdin.readline()
    with ThreadPoolExecutor(1) as pool:
        try:
            outcome = run(
                manager, "j", work, executor=pool, ahead=0,
                ttl_s=0.6 if by_the_wall else 5, wait="for ever",
                on_progress=lambda state: print(state.progress.done, flush=True),
            )
            print(outcome.phase, flush=True)
        except LeaseLost:
            print("lost", flush=True)
"""

pytestmark = pytest.mark.skipif(
    boot_timeline() is None, reason="this system says nothing of boots and processes"
)


def contend(folder: Path, seed: int, by: str, kills: int) -> tuple[list[str], StateManager]:
    """The last word of each executor that was not killed, and a manager on the store after it."""
    database = folder / f"{by}-{seed}.db"
    manager = StateManager.open(database, durability="process")
    manager.create_job(list(range(ITEMS[by])), job_id="j", config={"has_reduce": False})
    children = [
        subprocess.Popen(
            [sys.executable, "-c", WORK, str(database), str(seed * EXECUTORS + n), by],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        for n in range(EXECUTORS)
    ]
    by_pid = {child.pid: child for child in children}
    killed: set[int] = set()
    asleep = threading.Event()
    try:
        for child in children:
            assert child.stdout is not None
            assert child.stdout.readline() == "ready\n"
        for child in children:
            assert child.stdin is not None
            child.stdin.write("\n")
            child.stdin.flush()
        while len(killed) < kills:  # whoever holds it is killed once it has done a few
            owner = manager.get_state("j").owner
            holder = by_pid.get(int(owner.rpartition(":")[2])) if owner else None
            if holder is None or holder.pid in killed:
                asleep.wait(0.05)
                continue
            assert holder.stdout is not None
            for _ in range(12):
                holder.stdout.readline()
            os.kill(holder.pid, signal.SIGKILL)
            killed.add(holder.pid)
        said = [child.communicate(timeout=120)[0].split() for child in children]
    finally:
        for child in children:
            child.kill()
            child.communicate()
    words = [
        told[-1] for told, child in zip(said, children, strict=True) if child.pid not in killed
    ]
    return words, manager


@pytest.mark.parametrize("seed", range(ROUNDS))
def test_one_that_lives_keeps_its_job_and_one_that_died_is_followed(
    tmp_path: Path, seed: int
) -> None:
    words, manager = contend(tmp_path, seed, "steady", kills=EXECUTORS - 1)
    with manager:
        assert words == ["completed"]
        events = manager.get_state_history("j")
        reasons = [event.payload["reason"] for event in events if event.kind == "lease"]
        assert reasons[0] == ""
        assert [why.rpartition(" ")[2] for why in reasons[1:]] == ["gone"] * (EXECUTORS - 1)
        dates = [event.at for event in events]
        assert dates == sorted(dates)
        assert manager.verify("j")[0].sound


def test_by_the_wall_clock_one_that_lives_loses_it(tmp_path: Path) -> None:
    """The negative control."""
    words, manager = contend(tmp_path, 0, "wall", kills=0)
    with manager:
        assert "lost" in words
