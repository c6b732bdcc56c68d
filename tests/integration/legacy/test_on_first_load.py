"""Old jobs that are imported when they are first asked for: once, whoever asks."""

from __future__ import annotations

import asyncio
import inspect
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier
from typing import Any

import pytest

from milepost import AsyncStateManager, ImportFailed, ItemEvent, JobAbsent, Scope, StateManager
from milepost.errors import StoreAbsent
from milepost.executors import Beside
from milepost.legacy.prodigy import ItemStatus
from milepost.testing import FakeClock
from tests.integration.legacy.old_homes import (
    JOB,
    T0,
    MadeItem,
    job_state,
    write,
    write_state,
)
from tests.integration.legacy.test_import import AFTER_US, fingerprint_of


def no_result(manager: StateManager) -> bool:
    """True if the job is there and has not been reduced."""
    with pytest.raises(KeyError):
        manager.result(JOB)
    return True


ITEMS = [MadeItem(value=n, status=status) for n, status in enumerate(ItemStatus)]
DONE = list(ItemStatus).index(ItemStatus.DONE)
ASKED: dict[str, Callable[[StateManager], Any]] = {
    "get_state": lambda m: m.get_state(JOB),
    "has_job": lambda m: m.has_job(JOB),
    "record": lambda m: m.record(JOB, [ItemEvent("item_0", "start")]),
    "fire": lambda m: m.fire(JOB, "pause"),
    "update_state": lambda m: m.update_state(JOB, lambda _: ItemEvent("item_0", "start")),
    "lease": lambda m: m.lease(JOB, renewed=False).__enter__(),
    "create_checkpoint": lambda m: m.create_checkpoint(JOB),
    "get_checkpoint": lambda m: m.get_checkpoint(JOB),
    "list_checkpoints": lambda m: m.list_checkpoints(JOB)[0],
    "recover_from_checkpoint": lambda m: m.recover_from_checkpoint(JOB),
    "plan_rewind": lambda m: m.plan_rewind(JOB, 1),
    "get_state_history": lambda m: m.get_state_history(JOB)[0],
    "summary": lambda m: m.summary(JOB),
    "state_at": lambda m: m.state_at(JOB, 1),
    "seq_at": lambda m: m.seq_at(JOB, T0),
    "diff": lambda m: m.diff(JOB, 1, 2),
    "fork": lambda m: m.fork(JOB, 1, "other"),
    "phase_entered": lambda m: m.phase_entered(JOB, 1),
    "phases_entered": lambda m: m.phases_entered(JOB),
    "transitions_taken": lambda m: m.transitions_taken(JOB),
    "failure_summary": lambda m: m.failure_summary(JOB).count,
    "lease_expires_at": lambda m: [m.lease_expires_at(JOB)],
    "holder": lambda m: [m.holder(JOB)],
    "results": lambda m: next(m.results(JOB)),
    "result": no_result,
    "deferred": lambda m: [m.deferred(JOB)],
    "failed_attempts": lambda m: [list(m.failed_attempts(JOB))],
    "failure_groups": lambda m: m.failure_groups(JOB),
    "failures": lambda m: m.failures(JOB),
    "keep_beside": lambda m: m.keep_beside(JOB, Beside("beside")),
    "notes": lambda m: [m.notes(JOB)],
    "recorded_results": lambda m: next(m.recorded_results(JOB)),
    "verify": lambda m: m.verify(JOB)[0].sound,
    "add_items": lambda m: m.add_items(JOB, ["one more"]),
    "allow_dead": lambda m: m.allow_dead(JOB, 1),
    "compact": lambda m: m.compact(JOB),
    "compare_inputs": lambda m: m.compare_inputs(JOB, ["other"]),
    "dead_letters": lambda m: [list(m.dead_letters(JOB))],
    "keep": lambda m: m.keep(JOB, for_=None),
    "keep_by_policy": lambda m: [m.keep_by_policy(JOB)],
    "kept": lambda m: [m.kept(JOB)],
    "reap": lambda m: m.reap(JOB),
    "redo": lambda m: m.redo(JOB, [DONE]),
    "repair": lambda m: m.repair(JOB),
    "requeue": lambda m: m.requeue(JOB),
    "result_of": lambda m: [m.result_of(JOB, DONE)],
    "sizes": lambda m: m.sizes(JOB),
    "skip": lambda m: m.skip(JOB, Scope.failed()),
    "verify_beside": lambda m: [m.verify_beside(JOB)],
}


@pytest.fixture
def home(tmp_path: Path) -> Path:
    place = tmp_path / "home"
    write_state(place, job_state(ITEMS))
    return place


def opened(store: Path | str, home: Path | None, **more: Any) -> StateManager:
    return StateManager.open(store, clock=FakeClock(AFTER_US), legacy=home, **more)


@pytest.mark.parametrize("asked", ASKED)
def test_whatever_is_asked_first_imports_it(home: Path, asked: str) -> None:
    """Every method that names a job; those that list jobs import none."""
    before = fingerprint_of(home)
    with opened("memory:", home) as manager:
        assert (manager.list_jobs(), manager.job_ids(), manager.verify()) == ([], [], [])
        assert ASKED[asked](manager)
        assert JOB in manager.job_ids()
        assert manager.verify(JOB)[0].sound
    assert fingerprint_of(home) == before


def test_every_method_that_names_a_job_is_asked() -> None:
    """The list above leaves none out."""
    named = {
        name
        for name, method in inspect.getmembers(StateManager, inspect.isfunction)
        if not name.startswith("_") and "job_id" in inspect.signature(method).parameters
    }
    by_plan = {"recover_from_checkpoint"}  # which takes a checkpoint too
    of_all = {"create_job", "import_jobs", "quarantine"}
    assert (named - of_all) | by_plan == ASKED.keys()


def test_a_job_that_nobody_has_is_absent(home: Path) -> None:
    with opened("memory:", home) as manager:
        with pytest.raises(JobAbsent):
            manager.get_state("other")
        assert not manager.has_job("other")
        assert not manager.has_job("no id: \n")
        assert manager.job_ids() == []


def test_without_a_home_nothing_is_imported(home: Path) -> None:
    """The control: it is the home that makes the job appear."""
    with opened("memory:", None) as manager, pytest.raises(JobAbsent):
        manager.get_state(JOB)


def test_a_home_that_is_not_there_is_said_at_once(tmp_path: Path) -> None:
    """Else a wrong path would start every job from nothing; no store is made either."""
    with pytest.raises(StoreAbsent, match="to import from"):
        opened(tmp_path / "jobs.db", tmp_path / "nowhere")
    assert list(tmp_path.iterdir()) == []


def test_a_reader_says_how_it_is_imported(tmp_path: Path, home: Path) -> None:
    store = tmp_path / "jobs.db"
    StateManager.open(store).close()
    with opened(store, home, read_only=True) as manager:
        with pytest.raises(JobAbsent, match=f"milepost import prodigy {home} --job {JOB}"):
            manager.get_state(JOB)
        assert not manager.has_job(JOB)
        assert manager.job_ids() == []


def test_a_job_of_which_nothing_can_be_read_is_not_absent(home: Path) -> None:
    """It would be begun anew by who takes it for absent."""
    for path in home.rglob("checkpoint-v*.json"):
        write(path, "{")
    with opened("memory:", home) as manager, pytest.raises(ImportFailed, match="bytes-damaged"):
        manager.get_state(JOB)


def test_two_threads_of_two_managers_import_it_once(tmp_path: Path, home: Path) -> None:
    store = tmp_path / "jobs.db"
    StateManager.open(store).close()
    together = Barrier(4)

    def ask() -> Any:
        with opened(store, home) as manager:
            together.wait(30)
            return manager.get_state(JOB)

    with ThreadPoolExecutor(4) as pool:
        first, *others = [f.result() for f in [pool.submit(ask) for _ in range(4)]]
    assert all(state == first for state in others)
    with opened(store, None) as manager:
        assert manager.job_ids() == [JOB]
        assert [e.kind for e in manager.get_state_history(JOB)].count("imported") == 1


def test_two_processes_import_it_once(tmp_path: Path, home: Path) -> None:
    store = tmp_path / "jobs.db"
    StateManager.open(store).close()
    code = (
        "import sys; from milepost import StateManager\n"
        "manager = StateManager.open(sys.argv[1], legacy=sys.argv[2])\n"
        "print('ready', flush=True); sys.stdin.readline()\n"
        f"print(manager.get_state({JOB!r}).digest.hex())"
    )
    asking = [
        subprocess.Popen(
            [sys.executable, "-c", code, str(store), str(home)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(3)
    ]
    for process in asking:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in asking:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    told = {process.communicate(timeout=60)[0] for process in asking}
    assert len(told) == 1
    assert told != {""}
    with opened(store, None) as manager:
        assert manager.job_ids() == [JOB]
        assert manager.verify(JOB)[0].sound


def test_the_async_manager_does_the_same(home: Path) -> None:
    async def ask() -> tuple[Any, Any]:
        async with await AsyncStateManager.open(
            "memory:", clock=FakeClock(AFTER_US), legacy=home
        ) as manager:
            tried = await manager.import_jobs(home, dry_run=True)
            return tried, await manager.get_state(JOB)

    tried, state = asyncio.run(ask())
    assert [job.outcome for job in tried.jobs] == ["would-import"]
    assert state.progress == tried.jobs[0].progress


def test_a_store_with_a_home_loads_no_readers_before_they_are_needed(home: Path) -> None:
    code = (
        "import sys; from milepost import StateManager\n"
        "manager = StateManager.open('memory:', legacy=sys.argv[1])\n"
        "manager.create_job(['a'], job_id='j'); manager.get_state('j')\n"
        "print('pydantic' in sys.modules)\n"
        f"manager.get_state({JOB!r}); print('pydantic' in sys.modules)"
    )
    run = subprocess.run(
        [sys.executable, "-c", code, str(home)], capture_output=True, text=True, check=True
    )
    assert run.stdout.split() == ["False", "True"]
