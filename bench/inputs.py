"""A million items as a stream: creating a job, the first look for a key, results."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path
from time import perf_counter
from typing import Any, Final

from cold import peak_bytes
from jobs import start
from milepost import ItemEvent, StateManager
from pairing import Figure, Settings, at_most, differences, in_turn
from samples import results

ROUNDS: Final = 3
COUNT: Final = 1_000_000
SMALL: Final = 1_000
BATCH: Final = 1_000
WINDOW: Final = 10 * BATCH
JOB: Final = "million"


def create(path: Path, count: int, job_id: str) -> None:
    with StateManager.open(path, durability="process") as manager:
        manager.create_job((f"item-{number:07d}" for number in range(count)), job_id=job_id)


def look(path: Path, count: int, job_id: str) -> None:
    with StateManager.open(path, create=False) as manager:
        assert manager.get_state(job_id).item(f"item-{count // 3 * 2:07d}")


def load(path: Path, count: int, job_id: str) -> None:
    with StateManager.open(path, create=False) as manager:
        assert manager.get_state(job_id).items.count == count


def stream(path: Path, count: int, job_id: str) -> None:
    with StateManager.open(path, create=False) as manager:
        found = deque(enumerate(manager.results(job_id), 1), maxlen=1)
        assert found[0][0] == count


WORK: Final[dict[str, Callable[[Path, int, str], None]]] = {
    each.__name__: each for each in (create, look, load, stream)
}


def figures(settings: Settings) -> Iterator[Figure]:
    path = settings.folder / "milepost.db"

    def pair(name: str, *, apart: bool = False) -> list[list[dict[str, Any]]]:
        """What the small job and the large one report, round by round."""
        reports: list[list[dict[str, Any]]] = [[], []]

        def measure(which: int, turn: int) -> float:
            count = (SMALL, COUNT)[which]
            job_id = f"{name}-{which}-{turn}" if apart else (f"small-{JOB}", JOB)[which]
            reports[which].append(fresh(name, path, count, job_id))
            return 0.0

        in_turn(
            ROUNDS, *(lambda turn, which=which: measure(which, turn) for which in (0, 1)), warm_up=0
        )
        return reports

    floor = f"a job of {SMALL:,} items"
    small, large = pair("create", apart=True)
    label = f"creating {COUNT:,} items from a generator"
    yield differences(label, taken(large), (floor, taken(small)), unit="s")
    yield differences(label, peaks(large), (floor, peaks(small)), unit="MB", budget=at_most(64))

    for job_id, count in ((f"small-{JOB}", SMALL), (JOB, COUNT)):
        create(path, count, job_id)
        record_all(path, job_id, count)
    _, loaded = pair("load")
    _, looked = pair("look")
    label = f"the first look for a key, {COUNT:,} items"
    only = "a process that only loads the state"
    yield differences(
        label,
        [each * 1e3 for each in taken(looked)],
        (only, [each * 1e3 for each in taken(loaded)]),
        unit="ms",
        budget=at_most(50),
    )
    yield differences(label, peaks(looked), (only, peaks(loaded)), unit="MB")

    small, large = pair("stream")
    label = f"{COUNT:,} results as a stream"
    yield differences(label, taken(large), (floor, taken(small)), unit="s")
    yield differences(label, peaks(large), (floor, peaks(small)), unit="MB", budget=at_most(64))


def record_all(path: Path, job_id: str, count: int) -> None:
    """Every item gets a result: those of a window by turns, so that commits overlap in order."""
    values = results(BATCH, seed=7)
    with StateManager.open(path, durability="process") as manager:
        manager.fire(job_id, "start_map")
        for first in range(0, count, WINDOW):
            window = range(first, min(first + WINDOW, count))
            start(manager, job_id, window)
            for offset in range(max(1, len(window) // BATCH)):
                taking = window[offset :: max(1, len(window) // BATCH)]
                pairs = zip(taking, values, strict=False)
                events = [ItemEvent(n, "succeed", {"result": value}) for n, value in pairs]
                manager.record(job_id, events)
        manager.create_checkpoint(job_id)


def taken(reports: list[dict[str, Any]]) -> list[float]:
    return [report["taken_s"] for report in reports]


def peaks(reports: list[dict[str, Any]]) -> list[float]:
    return [report["peak_bytes"] / 1e6 for report in reports]


def fresh(name: str, *arguments: object) -> dict[str, Any]:
    """What a process of its own reports of one kind of work: its time and its peak memory."""
    answer = subprocess.run(
        [sys.executable, __file__, name, *map(str, arguments)], check=True, capture_output=True
    )
    report: dict[str, Any] = json.loads(answer.stdout)
    return report


def main(name: str, path: str, count: str, job_id: str) -> None:
    began = perf_counter()
    WORK[name](Path(path), int(count), job_id)
    print(json.dumps({"taken_s": perf_counter() - began, "peak_bytes": peak_bytes()}))


if __name__ == "__main__":
    main(*sys.argv[1:])
