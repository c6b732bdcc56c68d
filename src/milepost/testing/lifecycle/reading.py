"""A second process that reads jobs: asked line by line for what it finds in a store."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from milepost.discovery.modules import Target, beside, load
from milepost.job.state import JobState
from milepost.machine import Lifecycle
from milepost.state.manager import StateManager

__all__ = ["Reader", "found_in", "module_of"]

_WAIT_S: Final = 30


class Reader:
    """The other process, as this one sees it; it begins when it is first asked, and is a context.

    It opens a store by its URL, with the tables of a generated module, which it imports once.
    """

    def __init__(self) -> None:
        self._process: subprocess.Popen[str] | None = None

    def read(self, module: str | Path, url: str, job_id: str) -> dict[str, Any]:
        """What it finds of a job, and whether that verifies. Raises AssertionError if it ended.

        `module` is the file of the tables.
        """
        if self._process is None:
            self._process = subprocess.Popen(  # noqa: S603 this module
                [sys.executable, "-m", __name__],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps([str(module), url, job_id]) + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        assert answer, "the process that reads has ended: see what it wrote to stderr"
        found: dict[str, Any] = json.loads(answer)
        return found

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the process, if it has begun."""
        if self._process is not None:
            with self._process as process:
                assert process.stdin is not None
                process.stdin.close()
                process.wait(_WAIT_S)
            self._process = None


def module_of(lifecycle: Lifecycle) -> str:
    """The file of the generated module whose LIFECYCLE that is. Raises ValueError if none is."""
    for module in list(sys.modules.values()):
        if getattr(module, "LIFECYCLE", None) is lifecycle and getattr(module, "__file__", None):
            return str(Path(str(module.__file__)).resolve())
    raise ValueError(
        f"no module that was imported from a file has {lifecycle!r} as its LIFECYCLE: a second"
        " process could not read jobs of it; import what `milepost compile` wrote"
    )


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
        module, url, job_id = json.loads(line)
        target = Target.of(module)
        lifecycle = load(target)
        earlier = list(beside(target, lifecycle))
        with StateManager.open(
            url, read_only=True, lifecycle=lifecycle, earlier=earlier
        ) as manager:
            told = found_in(manager.get_state(job_id))
            told["sound"] = [one.sound for one in manager.verify(job_id)]
            if lifecycle.collections and any(
                lifecycle.machines[each.machine].roles.result
                for each in lifecycle.collections.values()
            ):
                told["results"] = sorted(key for key, _ in manager.results(job_id))
        sys.stdout.write(json.dumps(told) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    _main()
