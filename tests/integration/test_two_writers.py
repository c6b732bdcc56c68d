"""Writers on one file that keep what they wrote last: none decides on what another made stale."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import pytest

from milepost import ItemEvent, StateManager, TransitionRefused

COUNT = 6
CHILD = """
import sys
from milepost import ItemEvent, StateManager, TransitionRefused

with StateManager.open(sys.argv[1]) as manager:
    for line in sys.stdin:
        try:
            state = manager.record("j", [ItemEvent(int(line), "start")])
        except TransitionRefused:
            print("refused", flush=True)
        else:
            print(state.seq, flush=True)
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "jobs.db"
    with StateManager.open(path) as manager:
        manager.create_job([f"{number}" for number in range(COUNT)], job_id="j")
        manager.fire("j", "start_map")
    return path


@pytest.fixture
def child(path: Path) -> Iterator[tuple[IO[str], IO[str]]]:
    """A process that starts the items which it is sent, and says what came of it."""
    with subprocess.Popen(
        [sys.executable, "-c", CHILD, path],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        yield process.stdin, process.stdout
        process.stdin.close()


def test_two_processes_decide_each_on_what_the_other_wrote(
    path: Path, child: tuple[IO[str], IO[str]]
) -> None:
    requests, answers = child

    def in_child(item: int) -> str:
        requests.write(f"{item}\n")
        requests.flush()
        return answers.readline().strip()

    with StateManager.open(path) as manager:
        assert manager.record("j", [ItemEvent(0, "start")]).seq == 3
        assert in_child(0) == "refused"
        assert in_child(1) == "4"
        with pytest.raises(TransitionRefused):
            manager.record("j", [ItemEvent(1, "start")])
        assert manager.record("j", [ItemEvent(2, "start")]).seq == 5
        assert manager.record("j", [ItemEvent(3, "start")]).seq == 6
        assert in_child(3) == "refused"
        assert in_child(4) == "7"
        assert manager.get_state("j").progress.running == 5
        assert manager.verify("j")[0].sound
