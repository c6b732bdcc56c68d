"""SIGINT, as a real signal, to a process of its own whose engine is at work."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import threading
from functools import partial
from pathlib import Path

import pytest

from milepost import Item, StateManager
from milepost.executors import process_pool, run
from milepost.testing.contracts.executors.contract import counted
from milepost.testing.contracts.executors.trouble import Trouble

from .places import needed, opened

COUNT = 1_000


@pytest.mark.parametrize("engine", ["threads", "processes", "dask"])
def test_ctrl_c_waits_for_what_is_under_way(engine: str, tmp_path: Path) -> None:
    """What was called is recorded, and is not called again by the run that goes on."""
    if engine == "dask":
        needed("distributed")
    url = f"sqlite:///{tmp_path / 'jobs.db'}"
    trouble = Trouble(tmp_path / "calls")
    with StateManager.open(url) as manager:
        items = {str(n): n for n in range(COUNT)}
        manager.create_job(items, job_id="j", config={"has_reduce": False})
    child = subprocess.run(
        [sys.executable, "-m", "tests.engines.interrupted", engine, url, trouble.folder],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert child.stdout.split()[:1] == ["True"], child.stderr
    done = int(child.stdout.split()[1])
    assert 5 < done < COUNT
    assert trouble.calls().total() == done
    with StateManager.open(url) as manager, opened("threads") as given:
        assert run(manager, "j", trouble, executor=given).phase == "completed"
        assert trouble.calls() == counted(manager)


def endless(item: Item) -> None:
    """Has the run stopped, and never ends."""
    del item
    parent = multiprocessing.parent_process()
    assert parent is not None
    assert parent.pid is not None
    os.kill(parent.pid, signal.SIGINT)
    threading.Event().wait()


def left_behind() -> None:
    """A run whose one call does not end, stopped by a signal once that is under way."""
    with StateManager.open("memory:") as manager:
        manager.create_job(["a"], job_id="j")
        outcome = run(manager, "j", endless, executor=partial(process_pool, 1), grace_s=0)
        print(outcome.interrupted, manager.get_state("j").progress.running)


def test_a_process_ends_whose_run_has_left_a_call_behind() -> None:
    """The worker of a pool that the run made is ended with it: nobody wants what it does."""
    code = "from tests.engines.test_signals import left_behind; left_behind()"
    child = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (child.returncode, child.stdout) == (0, "True 0\n"), child.stderr
