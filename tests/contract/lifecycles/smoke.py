"""One small job, told as text: run with failures, killed, recovered, paused, given up, done.

As a program it does so for one table after the other that stands in the place of the built-in one:
each in a fork that has imported nothing before that imports the built-in one. A line of its input
has the path of a generated module, "" for the built-in one, and the names that the job's parameters
have in it.
"""

from __future__ import annotations

import gc
import json
import os
import re
import shutil
import sys
import traceback
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from importlib import import_module
from importlib.machinery import ModuleSpec
from importlib.util import spec_from_file_location
from pathlib import Path
from tempfile import TemporaryDirectory
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from milepost import Item, JobState

JOB = "smoke"
ITEMS = ("a", "b", "bad", "c", "late")
_TABLES = "milepost.lifecycles.mapreduce"
_PAGES = (
    "jobs",
    f"show {JOB}",
    f"show {JOB} --json",
    f"items {JOB}",
    f"history {JOB}",
    f"history {JOB} --json",
    f"plan {JOB}",
    f"plan {JOB} --failed --json",
    f"dead {JOB}",
    f"changes {JOB} 1",
    f"diagram {JOB} --mermaid",
    "gc",
    "verify",
)


class _Worker:
    """What the job calls: one item fails at first, another until it is mended."""

    def __init__(self) -> None:
        self.calls: Counter[str] = Counter()
        self.mended = False

    def __call__(self, item: Item) -> dict[str, object]:
        self.calls[item.key] += 1
        if item.key == "bad" and not self.mended:
            raise ValueError("as ever")
        if item.key == "late" and self.calls[item.key] == 1:
            raise TimeoutError("the first time")
        return {"of": item.key}


def tell(folder: Path, params: dict[str, str]) -> dict[str, str]:
    """What there is to be seen of the job, by what was asked when."""
    from milepost import StateManager
    from milepost.executors import run
    from milepost.state.persistence import open_store
    from milepost.testing import FakeClock
    from milepost.testing.deaths import Inline
    from tests.stores.make import NoProcesses

    clock, worker, told = FakeClock(timeline="one"), _Worker(), dict[str, str]()
    alive, left = folder / "alive.db", folder / "left.db"
    commits: list[int] = []

    def seen(state: JobState) -> None:
        commits.append(state.seq)
        if len(commits) == 4:
            for suffix in ("", "-wal"):
                if Path(f"{alive}{suffix}").exists():
                    shutil.copy(f"{alive}{suffix}", f"{left}{suffix}")

    def running(manager: StateManager, owner: str) -> Any:
        return run(
            manager,
            JOB,
            worker,
            dict,
            setup_fn=lambda state: {"of": state.id},
            executor=Inline(),
            workers=2,
            ahead=0,
            owner=owner,
            on_progress=seen,
            clock=lambda: 0.0,
        )

    def managed(path: Path) -> StateManager:
        return StateManager(open_store(path), clock=clock, processes=NoProcesses())

    with managed(alive) as manager:
        given = {params["max_attempts"]: 2, params["max_dead"]: 0}
        manager.create_job(ITEMS, job_id=JOB, config=given, variables={"day": "monday"})
        running(manager, "first")
    told |= _pages(left, clock, "killed")
    clock.advance(100)
    with managed(left) as manager:
        with manager.lease(JOB, "second", renewed=False) as lease:
            plan = manager.recover_from_checkpoint(JOB, reason="it was killed")
            told["plan"] = repr([(name, list(keys)) for name, keys in plan.parts.items()])
            counts = sorted(plan.item_events.values())
            told["events"] = repr((plan.events, counts, plan.resume_phase))
            roles = manager.apply(plan, lease=lease).roles
            for event in (roles.pause, roles.resume[roles.paused[0]]):
                told[f"after {event}"] = repr(manager.fire(JOB, event, lease=lease).progress)
        outcome = running(manager, "second")
        told["outcome"] = repr((outcome.phase, outcome.done_count, outcome.failure_count))
        told["letters"] = repr([(one.key, one.attempts) for one in manager.dead_letters(JOB)])
        told |= _pages(left, clock, "given up")
        worker.mended = True
        manager.requeue(JOB, operator=True)
        outcome = running(manager, "third")
        told["end"] = repr((outcome.phase, outcome.state.progress))
        told["results"] = repr((dict(manager.results(JOB)), manager.result(JOB)))
        told["failures"] = repr(
            [(key, [f.cause for f in found]) for key, found in manager.failures(JOB).items()]
        )
    return told | _pages(left, clock, "done")


def _pages(store: Path, clock: Any, when: str) -> dict[str, str]:
    from click.testing import CliRunner

    from milepost.cli import main

    told = {}
    for call in _PAGES:
        asked = [*call.split(), "--db", str(store)]
        result = CliRunner().invoke(main, asked, obj=clock, env={}, terminal_width=80)
        text = result.output.replace(str(store.parent), "FOLDER") + f"= {result.exit_code}"
        text = re.sub(r"\b[0-9a-f]{12,64}\b", "DIGEST", text)
        told[f"{when}: {call}"] = (
            re.sub(r"[\d,]+( bytes)?$", "SIZE", text, flags=re.M) if (call == "gc") else text
        )
    return told


class _InPlace:
    """Finds the tables of the built-in lifecycle elsewhere."""

    def __init__(self, path: str) -> None:
        self._path = path

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """As the import system asks."""
        return spec_from_file_location(name, self._path) if name == _TABLES else None


class _TablesAskedError(BaseException):
    """A module wants the tables; no handler of an import that may fail is to take it."""


class _Refused:
    """Imports no tables: whatever needs them fails."""

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> None:
        """As the import system asks."""
        if name == _TABLES:
            raise _TablesAskedError


def _child(asked: dict[str, Any]) -> str:
    os.getpid = lambda: 4711  # a failure names its worker: two forks are to tell the same of it
    if asked["module"]:
        sys.meta_path.insert(0, _InPlace(asked["module"]))
    try:
        with TemporaryDirectory() as folder:
            os.chdir(folder)  # away from the project, which lists lifecycles of its own
            told = tell(Path(folder), asked["params"])
    except Exception:  # noqa: BLE001 what went wrong is the answer
        told = {"error": traceback.format_exc()}
    return json.dumps(told)


def _main() -> None:
    """Answer each line of the input, in a process that has all imported that needs no tables."""
    refused = _Refused()
    sys.meta_path.insert(0, refused)
    for module in json.loads(_forked(_scouted)):
        # Some are parts that only their packages can import.
        with suppress(ImportError, _TablesAskedError):
            import_module(module)
    sys.meta_path.remove(refused)
    assert _TABLES not in sys.modules
    gc.freeze()  # what is there stays, and is not looked through in each fork
    for line in sys.stdin:
        print(_forked(partial(_child, json.loads(line))), flush=True)


def _scouted() -> str:
    """What a child imports in the end, but for this program."""
    sys.meta_path.pop(0)
    _child({"module": "", "params": {"max_attempts": "max_attempts", "max_dead": "max_dead"}})
    return json.dumps([name for name in sys.modules if name != "__main__"])


def _forked(call: Callable[[], str]) -> str:
    """What the call gives in a fork of this process."""
    readable, writable = os.pipe()
    if os.fork() == 0:
        os.close(readable)
        with os.fdopen(writable, "w") as answer:
            answer.write(call())
        os._exit(0)
    os.close(writable)
    with os.fdopen(readable) as answer:
        told = answer.read()
    os.wait()
    return told


if __name__ == "__main__":
    _main()
