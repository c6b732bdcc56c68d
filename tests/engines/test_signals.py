"""SIGINT, as a real signal, to a process of its own whose engine is at work."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from milepost import StateManager
from milepost.executors import run

from .places import needed, opened
from .test_contract import counted
from .trouble import Trouble

COUNT = 2_000


@pytest.mark.parametrize("engine", ["threads", "processes", "dask"])
def test_ctrl_c_waits_for_what_is_under_way(engine: str, tmp_path: Path) -> None:
    """What was called is recorded, and is not called again by the run that goes on."""
    if engine == "dask":
        needed("distributed")
    url = f"sqlite:///{tmp_path / 'jobs.db'}"
    trouble = Trouble(tmp_path / "calls")
    trouble.folder.mkdir()
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
    with StateManager.open(url) as manager, opened("threads") as place:
        assert run(manager, "j", trouble, executor=place.given).phase == "completed"
        assert trouble.calls() == counted(manager)
