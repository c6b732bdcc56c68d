"""Pages of a job of a million items, asked in this process, by processor time.

Four fifths of the items were worked on, in commits of 20 results, and one of 500 failed. `first` is
of a server that has just begun, and pays for what it loads then; `later` of one that has shown the
page before. `python bench/pages.py FILE JOB` measures the pages of another store.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from time import process_time
from typing import Final

from starlette.testclient import TestClient

from jobs import mapping_job
from milepost import ItemEvent, StateManager
from milepost.web.app import application
from pairing import Figure, Settings, as_it_is, at_most, in_turn

ROUNDS: Final = 5
ITEMS: Final = 1_000_000
WORKED: Final = 800_000
LOT: Final = 20
FAILED_OF: Final = 500
CHECKPOINTS: Final = 1_000
JOB: Final = "large"
PAGES: Final = {
    "one job": "",
    "items, with the grid": "/items",
    "items by a pattern of keys": "/items?key=*00077",
    "failures in groups": "/failures",
    "failures one by one": "/failures?each=1",
    "what is left to do": "/plan",
    "the newest history": "/history",
    "history in the middle": "/history?upto=20000",
    "two moments": "/changes?a=-1000",
    "the lifecycle": "/lifecycle.svg",
}


def build(path: Path) -> None:
    """A job that is at work, with checkpoints as a run takes them."""
    with StateManager.open(path, durability="process") as manager:
        mapping_job(manager, JOB, ITEMS, started=False)
        for first in range(0, WORKED, LOT):
            lot = range(first, first + LOT)
            events = [ItemEvent(ordinal, "start") for ordinal in lot]
            for ordinal in lot:
                end = ItemEvent(ordinal, "succeed", {"result": ordinal})
                if ordinal % FAILED_OF == FAILED_OF - 1:
                    why = {"cause": "error", "message": f"HTTP 500 of {ordinal}"}
                    end = ItemEvent(ordinal, "fail", why)
                events.append(end)
            manager.record(JOB, events)
            if first // LOT % CHECKPOINTS == CHECKPOINTS - 1:
                manager.create_checkpoint(JOB, reason="policy")


def shown(path: str, job: str, page: str) -> tuple[float, float]:
    """What a page takes the first time and a later one, in ms of processor."""
    with StateManager.open(path, create=False, read_only=True) as manager:
        client = TestClient(application(manager), base_url="http://localhost")
        client.get("/static/style.css")
        costs = []
        for _ in range(2):
            began = process_time()
            answer = client.get(f"/jobs/{job}{page}")
            costs.append((process_time() - began) * 1e3)
            assert answer.status_code == 200, answer.text
        return costs[0], costs[1]


def measured(path: str, job: str) -> Iterator[Figure]:
    """A first and a later look at each page."""
    for name, page in PAGES.items():
        looks = [shown(path, job, page) for _ in range(ROUNDS)]
        for which, place in (("first", 0), ("later", 1)):
            values = [look[place] for look in looks]
            (floors,) = in_turn(ROUNDS, lambda _: shown(path, "small", "")[1])
            floor = ("the page of a job of one item", floors)
            yield as_it_is(f"{name}, {which}", values, floor, unit="ms", budget=at_most(300))


def figures(settings: Settings) -> Iterator[Figure]:
    path = settings.folder / "jobs.db"
    build(path)
    with StateManager.open(path) as manager:
        manager.create_job(["one"], job_id="small")
    yield from measured(str(path), JOB)


if __name__ == "__main__":
    for place, address in PAGES.items():
        first, later = shown(sys.argv[1], sys.argv[2], address)
        print(f"{place}: first {first:.0f} ms, later {later:.0f} ms")
