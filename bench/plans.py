"""A recovery plan of a job of 1,000,000 items from a cold open, in fresh processes."""

from __future__ import annotations

import json
import random
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import apsw

from cold import COLD
from jobs import mapping_job, start
from milepost import CheckpointPolicy, ItemEvent, StateManager
from pairing import Figure, Settings, at_most, differences, in_turn
from samples import results

ROUNDS: Final = 7
COUNT: Final = 1_000_000
WORKED: Final = 900_000
BATCH: Final = 100
JOB: Final = "million"
FLOOR: Final = "a process that only imports milepost"


def build(path: Path) -> None:
    """A job left in the middle: nine tenths of it worked on by many, out of order, 1 % failed.

    The last batch is in flight. Checkpoints were taken as the default policy asks.
    """
    rng = random.Random(3)  # noqa: S311 no secrets here
    values = results(1_000, seed=3)
    policy = CheckpointPolicy()
    with StateManager.open(path, durability="process") as manager:
        mapping_job(manager, JOB, COUNT, started=False)
        settled = commits = 0
        for first in range(0, WORKED, 10 * BATCH):
            window = list(range(first, first + 10 * BATCH))
            start(manager, JOB, window)
            rng.shuffle(window)
            for at in range(0, len(window), BATCH):
                ended = window[at : at + BATCH]
                events = [_end(ordinal, rng, values) for ordinal in ended]
                manager.record(JOB, sorted(events, key=lambda event: event.event))
                settled, commits = settled + BATCH, commits + 1
                if policy.due(settled_items=settled, commits=commits, elapsed_s=0.0):
                    manager.create_checkpoint(JOB, reason="policy")
                    settled = commits = 0
        start(manager, JOB, range(WORKED, WORKED + BATCH))


def without_checkpoints(path: Path) -> Path:
    """A copy of a store in which the log is all there is."""
    copy = path.with_name("log-only.db")
    shutil.copyfile(path, copy)
    connection = apsw.Connection(str(copy))
    connection.execute("DELETE FROM checkpoints")
    connection.close()
    return copy


def cold(*arguments: object) -> dict[str, Any]:
    """What a fresh process reports: the time from its imports to its end, and its peak memory."""
    answer = subprocess.run(
        [sys.executable, COLD, *map(str, arguments)], check=True, capture_output=True
    )
    report: dict[str, Any] = json.loads(answer.stdout)
    return report


def figures(settings: Settings) -> Iterator[Figure]:
    path = settings.folder / "milepost.db"
    build(path)
    subjects: dict[str, tuple[object, ...]] = {
        "floor": (),
        "checkpoint": (path, JOB),
        "log": (without_checkpoints(path), JOB),
    }
    peaks: dict[str, list[float]] = {name: [] for name in subjects}

    def measure(name: str) -> float:
        report = cold(*subjects[name])
        if name != "floor":
            assert sum(report["parts"].values()) == COUNT, "a plan is a partition of the items"
        peaks[name].append(report["peak_bytes"] / 1e6)
        return float(report["taken_s"])

    seconds = dict(
        zip(
            subjects,
            in_turn(ROUNDS, *(lambda _turn, name=name: measure(name) for name in subjects)),
            strict=True,
        )
    )
    wall, peak = (FLOOR, seconds["floor"]), (FLOOR, peaks["floor"])
    newest, log_only = "newest checkpoint + log", "the whole log, no checkpoint"
    yield differences(newest, seconds["checkpoint"], wall, unit="s", budget=at_most(0.3))
    yield differences(newest, peaks["checkpoint"], peak, unit="MB", budget=at_most(80))
    yield differences(log_only, seconds["log"], wall, unit="s")
    yield differences(log_only, peaks["log"], peak, unit="MB")


def _end(ordinal: int, rng: random.Random, values: list[dict[str, Any]]) -> ItemEvent:
    if rng.random() < 0.01:
        return ItemEvent(ordinal, "fail", {"cause": "error", "message": "the parser gave up"})
    return ItemEvent(ordinal, "succeed", {"result": rng.choice(values)})
