"""A result that an item could not add up fails for good, and no other item notices."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from milepost import StateManager
from milepost.executors import WorkItem, run
from milepost.machine import LARGEST_INT
from tests.contract.lifecycles.compiling import lifecycle_of

WEIGHED = """\
lifecycle: weighed
version: 1
enums: {Cause: [error]}
machines:
  parcel:
    initial: there
    states: {there: {}, held: {}, weighed: {final: true}, lost: {final: true}}
    context: {doubled: {type: int, initial: 0}}
    events:
      take: {}
      weigh: {payload: {grams: {type: int}}}
      lose: {payload: {cause: {type: Cause}, words: {type: str}}}
      lay_back: {}
    transitions:
      - {from: there, on: take, to: held}
      - {from: held, on: weigh, to: weighed, set: {doubled: event.grams * 2}}
      - {from: held, on: lose, to: lost}
      - {from: held, on: lay_back, to: there}
    roles: {begin: take, result: weigh.grams, failure: lose, release: lay_back, lost: lay_back}
  load:
    initial: open
    states: {open: {}, closed: {final: true}}
    collections:
      parcels: {machine: parcel, accepts: {open: [take, weigh, lose, lay_back]}, grows: open}
    events: {close: {}, go_on: {}}
    transitions:
      - {from: open, on: close, to: closed, when: parcels.there + parcels.held == 0, partial: true}
      - {from: open, on: go_on, to: open, members: {parcels: {held: lay_back}}}
    roles: {phases: {open: close}, recover: go_on}
"""


def grams(item: WorkItem) -> int:
    return LARGEST_INT // 2 + (1 if item.key == "heavy" else 0)


def test_what_one_result_would_make_is_its_failure(tmp_path: Path) -> None:
    """It says which variable, and is not tried again; the job comes to its end."""
    lifecycle = lifecycle_of(WEIGHED)
    with (
        StateManager.open(tmp_path / "jobs.db", lifecycle=lifecycle) as manager,
        ThreadPoolExecutor(2) as pool,
    ):
        manager.create_job(["light", "heavy", "other"], job_id="j")
        outcome = run(manager, "j", grams, executor=pool)
        state = outcome.state
        assert (state.phase, outcome.done_count) == ("closed", 2)
        assert state.item("heavy")[0] == "lost"
        assert state.item("light")[1]["doubled"] == LARGEST_INT - 1
        (failure,) = manager.failed_attempts("j")
        assert "'weigh' would make 'doubled' 18446744073709551616" in failure.failure.message
        assert manager.verify("j")[0].sound
