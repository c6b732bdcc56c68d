"""A process of its own that works on a job until Ctrl-C: `interrupted.py ENGINE URL FOLDER`.

It sends the signal itself, once some items are done.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

from milepost import JobState, StateManager
from milepost.executors import run
from milepost.testing.contracts.executors.trouble import Trouble
from tests.engines.places import opened


def main(engine: str, url: str, folder: str) -> None:
    asked: list[int] = []

    def asks(state: JobState) -> None:
        if state.progress.done > 5 and not asked:
            asked.append(state.progress.done)
            os.kill(os.getpid(), signal.SIGINT)

    with opened(engine) as given, StateManager.open(url) as manager:
        outcome = run(
            manager,
            "j",
            Trouble(Path(folder)),
            executor=given,
            on_progress=asks,
            grace_s=60,
        )
    print(outcome.interrupted, outcome.done_count)


if __name__ == "__main__":
    main(*sys.argv[1:])
