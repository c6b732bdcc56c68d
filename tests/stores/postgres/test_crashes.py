"""The server is crashed while a driver records: what was acknowledged is there, once, and sound."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from milepost import StateManager
from tests.postgres import Server, needs_postgres, new_url
from tests.stores.postgres import driver

pytestmark = needs_postgres

_BEYOND = 25
"""So many items are left for the driver when the server is crashed."""


def crashed(server: Server, url: str, durability: str, acknowledged: int) -> list[int]:
    """The items that a driver was told are stored, of one whose server was crashed after some."""
    with subprocess.Popen(
        [sys.executable, "-m", driver.__name__, url, durability, str(acknowledged + _BEYOND)],
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        said: list[int] = []
        for line in process.stdout:
            if line.startswith("lost"):  # or it was told that its commit took place, and went on
                break
            said.append(int(line))
            if len(said) == acknowledged:
                server.crash()
                server.begin()
        process.wait()
    assert len(said) >= acknowledged, "it came as far as the crash"
    return said


@pytest.mark.parametrize("acknowledged", [1, 17, 60] if os.environ.get("MILEPOST_SOAK") else [17])
def test_nothing_that_was_acknowledged_is_lost(crashing: Server, acknowledged: int) -> None:
    """Crashed twice in one job; the driver goes on from what is there."""
    url = new_url(crashing.url)
    with StateManager.open(url) as manager:
        manager.create_job([f"{n}" for n in range(driver.ITEMS)], job_id="j")
        manager.fire("j", "start_map")
    told: list[int] = []
    for _ in range(2):
        told += crashed(crashing, url, "full", acknowledged)
        with StateManager.open(url) as manager:
            results = dict(manager.results("j"))
            assert manager.verify("j")[0].sound
            assert len(results) - len(set(told)) <= 1, "more than was in flight"
            assert {str(n): n for n in told}.items() <= results.items()
            if manager.get_state("j").progress.running:  # it died between start and result
                manager.apply(manager.recover_from_checkpoint("j"))


def test_a_server_that_need_not_write_loses_some(crashing: Server) -> None:
    """The control: a commit that only outlives its process is lost with the server."""
    url = new_url(crashing.url)
    with StateManager.open(url) as manager:
        manager.create_job([f"{n}" for n in range(driver.ITEMS)], job_id="j")
        manager.fire("j", "start_map")
    told = crashed(crashing, url, "process", 60)
    with StateManager.open(url) as manager:
        assert len(dict(manager.results("j"))) < len(told)
        assert manager.verify("j")[0].sound
