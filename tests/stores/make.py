"""Writes the store that is kept for the newest format, and what it holds: run it once a format.

    .venv/bin/python -m tests.stores.make

It leaves the files of older formats alone: they were written by the code of their time.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import apsw

from milepost import ItemEvent, StateManager
from milepost.lifecycles import mapreduce
from milepost.machine import Lifecycle
from milepost.process.identity import Process
from milepost.state.persistence import open_store
from milepost.stores.sqlite.schema import VERSION
from milepost.testing import FakeClock

FOLDER = Path(__file__).parent
EXPECTED = FOLDER / "expected.json"


def store_of(version: int) -> Path:
    """The file that is kept for a format."""
    return FOLDER / f"format-{version}.sqlite3"


def tell(manager: StateManager, clock: FakeClock) -> None:
    """Jobs in every condition: one completed, one under way and left behind, one not begun."""
    items = {f"page/{n:03}": {"n": n, "text": "a page " * 5} for n in range(40)}
    manager.create_job(items, job_id="whole", config={"max_attempts": 2}, variables={"day": "mon"})
    with manager.lease("whole", "worker-1", renewed=False):
        manager.fire("whole", "start_map")
        for first in range(0, 40, 4):
            clock.advance(1)
            few = range(first, first + 4)
            manager.record("whole", [ItemEvent(n, "start") for n in few])
            manager.record("whole", [ItemEvent(n, "succeed", _result(n)) for n in few])
        manager.create_checkpoint("whole")
        manager.fire("whole", "finish_map")
        manager.fire("whole", "finish_reduce", {"result": {"sum": sum(range(40))}})
    clock.advance(5)
    manager.create_job([f"item {n}" for n in range(12)], job_id="left", config={"max_attempts": 2})
    manager.fire("left", "start_map")
    with manager.lease("left", "worker-2", renewed=False):
        manager.record("left", [ItemEvent(n, "start") for n in range(6)])
        manager.record(
            "left", [ItemEvent(n, "succeed", {"result": [n, None, "ü"]}) for n in (0, 1)]
        )
        manager.record("left", [ItemEvent(2, "fail", {"cause": "error", "message": "HTTP 500"})])
    manager.create_job({"a": 1}, job_id="waiting")
    in_a_file = not manager.url.startswith("postgresql:")
    assert manager.compact("whole").blocks == in_a_file


def holds(manager: StateManager) -> dict[str, Any]:
    """What a store holds, in the words of the public surface."""
    return {job_id: _job(manager, job_id) for job_id in manager.job_ids()}


def _job(manager: StateManager, job_id: str) -> dict[str, Any]:
    state = manager.get_state(job_id)
    results = dict(manager.results(job_id))
    return {
        "phase": state.phase,
        "seq": state.seq,
        "digest": state.digest.hex(),
        "fence": state.fence,
        "owner": state.owner,
        "items": list(state.tally.items),
        "variables": dict(state.variables),
        "results": results,
        "failures": {
            key: [[f.seq, f.cause, f.message] for f in found]
            for key, found in manager.failures(job_id).items()
        },
        "result": manager.result(job_id) if state.phase == "completed" else None,
        "events": [event.event for event in manager.get_state_history(job_id)],
        "checkpoints": [checkpoint.seq for checkpoint in manager.list_checkpoints(job_id)],
    }


def _result(number: int) -> dict[str, Any]:
    return {"result": {"number": number, "half": number / 2, "summary": "what was found " * 8}}


class NoProcesses:
    """A machine that says nothing of its processes: what is kept names no machine."""

    host = "nowhere"

    def this(self) -> None:
        """Nothing."""

    def is_gone(self, process: Process) -> bool:
        """Not that it would be known."""
        return False


def write(path: Path, lifecycle: Lifecycle = mapreduce.LIFECYCLE) -> dict[str, Any]:
    """Write the store of the newest format to `path`; what it holds."""
    clock = FakeClock(timeline="the clock of the kept store")
    with StateManager(
        open_store(path), clock=clock, processes=NoProcesses(), lifecycle=lifecycle
    ) as manager:
        tell(manager, clock)
        held = holds(manager)
    connection = apsw.Connection(str(path))
    connection.execute("VACUUM")
    connection.close()
    return held


def main() -> None:
    """Write the newest format's file and add what it holds to expected.json."""
    with tempfile.TemporaryDirectory() as folder:
        written = Path(folder) / "jobs.db"
        held = write(written)
        store_of(VERSION).write_bytes(written.read_bytes())
    expected = json.loads(EXPECTED.read_text()) if EXPECTED.exists() else {}
    expected[str(VERSION)] = held
    EXPECTED.write_text(json.dumps(expected, indent=1, sort_keys=True, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
