"""A store in which every page has something to show, and the pages of it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from milepost import ItemEvent, StateManager
from milepost.testing import FakeClock
from milepost.web.serving import listening, server
from tests.integration.cli.story import JOB, tell

__all__ = ["DONE", "KINDS", "LIVE", "LONG", "MANY", "PAGES", "PROBLEMS", "furnished", "served"]

LIVE: Final = JOB
DONE: Final = "done"
MANY: Final = "many"
LONG: Final = "a-long-name-" + "0123456789" * 11
_WORD: Final = "x" * 300

_OF_A_JOB: Final = ("", "/items", "/failures", "/plan", "/history", "/changes")
KINDS: Final = ("/", *(f"/jobs/{LIVE}{part}" for part in _OF_A_JOB), f"/jobs/{DONE}")
"""A page of every kind; of a job that lives, and of one that has ended."""

PAGES: Final = (
    *KINDS,
    *("/?stuck=1", "/?prefix=nothing", f"/jobs/{DONE}/plan"),
    *(f"/jobs/{LIVE}/failures?each=1", f"/jobs/{LIVE}/changes?a=1&b=6"),
    *(f"/jobs/{LONG}{part}" for part in ("", "/items", "/failures?each=1", "/history")),
)
"""Those, and with more and less on them than they were drawn for."""

PROBLEMS: Final = (("/jobs/none", 404), (f"/jobs/{LIVE}/items?limit=many", 400))
"""Pages that say what is not there, with their status."""


def furnished(folder: Path, clock: FakeClock) -> Path:
    """The story's store, with a job that is done, one of many items, and one of long texts."""
    store = tell(folder, clock)
    with StateManager.open(store, clock=clock) as manager:
        _done(manager)
        _many(manager)
        _long(manager)
    return store


def _done(manager: StateManager) -> None:
    manager.create_job(["a", "b"], job_id=DONE, config={"has_reduce": False})
    manager.fire(DONE, "start_map")
    manager.record(DONE, [ItemEvent(key, "start") for key in "ab"])
    manager.record(DONE, [ItemEvent(key, "succeed", {"result": 1}) for key in "ab"])
    manager.fire(DONE, "finish_map")


def _many(manager: StateManager) -> None:
    """More items than a grid has cells; of all states that an item can be in."""
    keys = [f"k{n}" for n in range(6_000)]
    manager.create_job(keys, job_id=MANY, config={"max_attempts": 1, "max_dead": 100})
    manager.fire(MANY, "start_map")
    manager.record(MANY, [ItemEvent(key, "start") for key in keys[:4_000]])
    manager.record(MANY, [ItemEvent(key, "succeed", {"result": 1}) for key in keys[:3_000]])
    told = {"cause": "error", "message": "HTTP 500"}
    manager.record(MANY, [ItemEvent(key, "fail", told) for key in keys[3_000:3_020]])
    manager.record(MANY, [ItemEvent(key, "give_up") for key in keys[3_000:3_010]])
    manager.record(MANY, [ItemEvent(key, "skip") for key in keys[5_000:5_400]])


def _long(manager: StateManager) -> None:
    """Texts that no line can be broken in."""
    manager.create_job([_WORD, "b"], job_id=LONG, variables={_WORD: _WORD})
    manager.fire(LONG, "start_map")
    manager.record(LONG, [ItemEvent(_WORD, "start")])
    manager.record(LONG, [ItemEvent(_WORD, "fail", {"cause": "error", "message": _WORD * 4})])


@contextmanager
def served(manager: StateManager, clock: FakeClock) -> Iterator[str]:
    """The address at which the pages of `manager` are served, by a real server, until the end."""
    with listening("127.0.0.1", 0) as (place, address):
        serving = server(manager, host="127.0.0.1", token=None, payloads=False, clock=clock)
        thread = threading.Thread(target=serving.run, kwargs={"sockets": [place]})
        thread.start()
        try:
            yield address
        finally:
            serving.should_exit = True
            thread.join()
