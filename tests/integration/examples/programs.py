"""An example as a program: it is killed with SIGKILL in the middle, and goes on in this process."""

from __future__ import annotations

import importlib
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from milepost import StateManager

__all__ = ["EXAMPLES", "begun_since", "imported", "killed_once", "recorded"]

EXAMPLES = Path(__file__).parents[3] / "examples"
_MOST_S = 60.0


@contextmanager
def imported(folder: str, name: str) -> Iterator[Any]:
    """The module of an example, as one imports it in its folder; none of it stays behind."""
    place = str(EXAMPLES / folder)
    sys.path.insert(0, place)
    try:
        yield importlib.import_module(name)
    finally:
        sys.path.remove(place)
        files = {known: getattr(module, "__file__", None) for known, module in sys.modules.items()}
        for known in [known for known, file in files.items() if str(file).startswith(place)]:
            del sys.modules[known]


def killed_once(command: list[str], folder: Path, reached: Callable[[], bool]) -> None:
    """Run a program in `folder`, and kill it with SIGKILL as soon as it has reached that."""
    said = folder / "said.txt"
    ends = time.monotonic() + _MOST_S
    with said.open("wb") as file:
        running = subprocess.Popen([sys.executable, *command], cwd=folder, stderr=file)
        try:
            while not reached():
                assert running.poll() is None, f"it ended before: {said.read_text()}"
                assert time.monotonic() < ends, f"it does not get there: {said.read_text()}"
                time.sleep(0.01)
        finally:
            running.kill()
            running.wait()
    assert running.returncode == -9, f"it ended before it was killed: {said.read_text()}"


def recorded(manager: StateManager, job: str, done: int) -> Callable[[], bool]:
    """True once so many items of the job are recorded as done."""
    return lambda: manager.has_job(job) and manager.get_state(job).progress.done >= done


def begun_since(manager: StateManager, job: str, seq: int) -> set[str]:
    """The keys of the items that were begun after that commit."""
    events = manager.get_state_history(job, after=seq)
    return {key for one in events if one.event == "start" for key in one.items}
