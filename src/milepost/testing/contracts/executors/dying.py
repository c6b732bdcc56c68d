"""A process of its own that dies while it holds a job, with two items done and two under way."""

from __future__ import annotations

import os
import signal
import sys

from milepost.state.manager import StateManager
from milepost.state.transitions import ItemEvent

__all__ = ["die", "leave"]


def leave(manager: StateManager) -> None:
    """Begin the job "j", and leave two of its items done and two under way."""
    manager.fire("j", "start_map")
    manager.record("j", [ItemEvent(n, "start") for n in range(4)])
    manager.record("j", [ItemEvent(n, "succeed", {"result": n}) for n in (0, 1)])


def die(store: str) -> None:
    """Hold the job of `store`, leave it so, and give nothing back."""
    with StateManager.open(store) as manager, manager.lease("j", "the last one"):
        leave(manager)
        os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    die(sys.argv[1])
