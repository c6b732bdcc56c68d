"""A second process that reads jobs: asked line by line for what it finds in a store."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from milepost import JobState, StateManager
from milepost.discovery.modules import Target, load

from .compiling import ROOT

__all__ = ["Reader", "found_in", "second_process"]


class Reader:
    """The other process, as this one sees it."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def read(self, module: Path, store: Path, job_id: str) -> dict[str, Any]:
        """What it finds of a job, and whether that verifies."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps([str(module), str(store), job_id]) + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        assert answer, "the other process has ended"
        found: dict[str, Any] = json.loads(answer)
        return found


@contextmanager
def second_process() -> Iterator[Reader]:
    """One that answers until the block ends."""
    command = [sys.executable, "-m", "tests.contract.lifecycles.reading"]
    with subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            yield Reader(process)
        finally:
            assert process.stdin is not None
            process.stdin.close()
            assert process.wait(30) == 0


def found_in(state: JobState) -> dict[str, Any]:
    """What is in a state, as JSON has it."""
    keys = [state.inputs.key(ordinal) for ordinal in range(state.items.count)]
    found = {
        "phase": state.phase,
        "seq": state.seq,
        "digest": state.digest.hex(),
        "context": dict(state.context),
        "variables": dict(state.variables),
        "items": [[key, state.item(key)[0], dict(state.item(key)[1])] for key in keys],
        "left": state.progress.left,
    }
    told: dict[str, Any] = json.loads(json.dumps(found))
    return told


def _main() -> None:
    for line in sys.stdin:
        module, store, job_id = json.loads(line)
        lifecycle = load(Target.of(module))
        with StateManager.open(store, read_only=True, lifecycle=lifecycle) as manager:
            told = found_in(manager.get_state(job_id))
            told["sound"] = [one.sound for one in manager.verify()]
        print(json.dumps(told), flush=True)


if __name__ == "__main__":
    _main()
