"""A fork with a store open: the child is refused at once or opens it anew, and nobody hangs."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import select
import signal
import subprocess
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest

from milepost import AsyncStateManager, Item, ItemEvent, StateManager
from milepost.errors import StoreForked
from milepost.executors import CoroutineExecutor, run

ROOT = Path(__file__).parents[2]
FORKS = 60 if os.environ.get("MILEPOST_SOAK") else 10


@pytest.fixture(autouse=True)
def may_fork() -> Iterator[None]:
    """Python warns of forks where there are threads; here that is what is tried."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        yield


def in_child(act: Callable[[], object]) -> str:
    """What `act` gives in the child of a fork, or the code of its error."""
    out, into = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            said = str(act())
        except StoreForked as error:
            said = error.code
        except BaseException as error:  # noqa: BLE001 it is told to the parent
            said = repr(error)
        os.write(into, said.encode())
        os._exit(0)
    os.close(into)
    with os.fdopen(out) as answer:
        said = answer.read()
    os.waitpid(pid, 0)
    return said


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[StateManager]:
    with StateManager.open(tmp_path / "jobs.db") as manager:
        manager.create_job(["a", "b"], job_id="j")
        manager.fire("j", "start_map")
        yield manager


@pytest.mark.parametrize(
    ("how", "expected"), [("inherited", "store-forked"), ("of its own", "setup")]
)
def test_threads_record_while_another_forks(tmp_path: Path, how: str, expected: str) -> None:
    """No child hangs, and the parent's records are there.

    A child may be refused a store of its own: where the machine is so busy that one of the parent's
    threads did not come to rest in time.
    """
    told = subprocess.run(
        [sys.executable, "-m", "tests.stores.forking", tmp_path / "jobs.db", how, str(FORKS)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60 + 20 * FORKS,
        check=False,
    )
    assert told.stderr == ""
    *children, last = told.stdout.splitlines()
    assert len(children) == FORKS
    assert set(children) <= {expected, "store-forked"}
    assert expected in children
    _, acknowledged, _, found = last.split()
    assert found == acknowledged


def test_a_child_begins_though_a_thread_was_about_to_read(
    manager: StateManager, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The thread holds what it needs to lock a read mark, and is not there in the child."""
    amid, over = threading.Event(), threading.Event()
    pread = os.pread

    def waiting(*asked: int) -> bytes:
        if threading.current_thread() is reader:
            amid.set()
            over.wait()
        return pread(*asked)

    monkeypatch.setattr(os, "pread", waiting)
    reader = threading.Thread(target=manager.get_state, args=["j"])
    reader.start()
    assert amid.wait(60)
    out, into = os.pipe()
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    os.close(into)
    try:
        ended, _, _ = select.select([out], [], [], 60)  # its end of the pipe closes with it
        assert ended, "the child hangs"
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        os.close(out)
        over.set()
        reader.join()


def test_every_use_in_the_child_is_refused(manager: StateManager) -> None:
    """And to close it there does nothing."""
    uses: list[Callable[[], object]] = [
        lambda: manager.record("j", [ItemEvent("a", "start")]),
        lambda: manager.get_state("j"),
        lambda: list(manager.get_state_history("j")),
        lambda: manager.create_job(["a"], job_id="k"),
        manager.check_store,
        manager.vacuum,
        lambda: asyncio.run(AsyncStateManager(manager).get_state("j")),
    ]
    for use in uses:
        assert in_child(use) == "store-forked"
    assert in_child(manager.close) == "None"
    manager.record("j", [ItemEvent("a", "start")])
    assert manager.get_state("j").progress.running == 1


def test_a_parent_that_ends_leaves_the_file_to_its_child(tmp_path: Path) -> None:
    """As a daemon is made: what the child opens anew is the file, and all is in it."""
    code = """
import os, sys
from milepost import ItemEvent, StateManager
manager = StateManager.open(sys.argv[1])
manager.create_job([f"k{n}" for n in range(100)], job_id="j")
manager.fire("j", "start_map")
out, into = os.pipe()
if os.fork():
    manager.close()
    os.close(out)
    os._exit(0)
os.close(into)
os.read(out, 1)
with StateManager.open(sys.argv[1]) as own:
    for n in range(100):
        own.record("j", [ItemEvent(f"k{n}", "start")])
"""
    subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code, tmp_path / "jobs.db"],
        check=True,
        stdout=subprocess.PIPE,  # inherited by the child: read to its end
        timeout=60,
    )
    with StateManager.open(tmp_path / "jobs.db") as manager:
        assert manager.get_state("j").progress.running == 100
        assert manager.check_store() == []
        manager.close()
    assert [found.name for found in tmp_path.iterdir()] == ["jobs.db"]


def test_a_lease_stays_the_parents(manager: StateManager) -> None:
    """The end of its block in a child gives nothing back, and hides no error."""
    with manager.lease("j", "parent") as lease:

        def leave() -> str:
            with suppress(ZeroDivisionError), manager.lease("j"):
                raise ZeroDivisionError
            return "left"

        assert in_child(leave) == "store-forked"
        pid = os.fork()
        if pid == 0:
            os._exit(0)
        os.waitpid(pid, 0)
        manager.record("j", [ItemEvent("a", "start")], lease=lease)
    assert manager.get_state("j").owner is None


def test_a_store_in_memory_is_the_parents_too() -> None:
    """What a child put into its copy nobody would find."""
    with StateManager.open("memory:") as manager:
        manager.create_job(["a"], job_id="j")
        assert in_child(lambda: manager.get_state("j")) == "store-forked"
        assert in_child(lambda: manager.fire("j", "start_map")) == "store-forked"


def test_an_executor_of_coroutines_is_the_parents() -> None:
    """Its loop has no thread in the child."""
    with CoroutineExecutor() as executor:
        assert "RuntimeError" in in_child(lambda: executor.submit(int))
        assert in_child(executor.shutdown) == "None"
        assert executor.submit(int).result() == 0


def double(item: Item) -> int:
    return 2 * int(item.value)


def test_a_pool_that_forks_runs_a_job(manager: StateManager) -> None:
    """Its workers inherit the manager, and leave it alone."""
    manager.create_job(list(range(20)), job_id="pool")
    context = multiprocessing.get_context("fork")
    with ProcessPoolExecutor(2, mp_context=context) as pool:
        run(manager, "pool", map_fn=double, executor=pool)
    assert manager.get_state("pool").progress.done == 20
