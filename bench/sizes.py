"""A job from its creation to its inspection, at 1,000 to 1,000,000 items: time and memory."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from pairing import Figure, Settings, at_most, differences, in_turn, ratios
from size_stage import STAGE, STAGES

ROUNDS: Final = 2
SIZES: Final = (1_000, 10_000, 100_000, 1_000_000)
BASE: Final = 10_000  # below it the start of a stage counts more than its items
FLAT: Final = at_most(1.3)


def figures(settings: Settings) -> Iterator[Figure]:
    seconds: dict[tuple[str, int], list[float]] = defaultdict(list)
    peaks: dict[tuple[str, int], list[float]] = defaultdict(list)

    def live(count: int, turn: int) -> float:
        """One job's whole life, each stage a process of its own."""
        path = settings.folder / f"{count}-{turn}.db"
        for stage in STAGES:
            report = _stage(stage, path, count)
            seconds[stage, count].append(report["taken_s"])
            peaks[stage, count].append(report["peak_bytes"] / 1e6)
        path.unlink()
        return 0.0

    in_turn(ROUNDS, *(lambda turn, count=count: live(count, turn) for count in SIZES), warm_up=0)
    for stage in STAGES:
        whole = stage in ("create", "record")
        for count in SIZES:
            if count == BASE:
                continue
            name, floor = f"{stage}, {count:,} items", f"a job of {BASE:,} items"
            if whole:
                costs = [[s / n * 1e6 for s in seconds[stage, n]] for n in (count, BASE)]
                budget = FLAT if count > BASE else None
                yield ratios(name, costs[0], (floor, costs[1]), unit="µs/item", budget=budget)
            else:
                costs = [[s * 1e3 for s in seconds[stage, n]] for n in (count, BASE)]
                yield differences(name, costs[0], (floor, costs[1]), unit="ms")
    for stage in STAGES:
        for count in SIZES[-2:]:
            least = (f"a job of {SIZES[0]:,} items", peaks[stage, SIZES[0]])
            yield differences(f"{stage}, {count:,} items", peaks[stage, count], least, unit="MB")


def _stage(name: str, path: Path, count: int) -> dict[str, float]:
    answer = subprocess.run(
        [sys.executable, STAGE, name, path, str(count)], check=True, capture_output=True
    )
    report: dict[str, float] = json.loads(answer.stdout)
    return report
