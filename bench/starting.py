"""What fresh processes take: the import of the manager, and commands, by processor time."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Final

from jobs import mapping_job
from milepost import ItemEvent, StateManager
from pairing import Figure, Settings, as_it_is, at_most, differences, in_turn

ROUNDS: Final = 11
IMPORT: Final = "from milepost import StateManager"
COUNT: Final = 1_000


def environment() -> dict[str, str]:
    """The environment as it is, but that compiled modules are kept: else each start compiles them.

    Whoever measures starts once before, which compiles what is not compiled yet.
    """
    return {name: text for name, text in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


def started(*words: str) -> Callable[[int], float]:
    """Measures a fresh interpreter with these words, in ms of processor."""

    def measure(_turn: int) -> float:
        process = subprocess.Popen(
            [sys.executable, *words], stdout=subprocess.DEVNULL, env=environment()
        )
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        assert process.returncode == 0, words
        return (used.ru_utime + used.ru_stime) * 1e3

    return measure


def figures(settings: Settings) -> Iterator[Figure]:
    path = settings.folder / "jobs.db"
    with StateManager.open(path, durability="process") as manager:
        mapping_job(manager, "shown", COUNT)
        for ordinal in range(COUNT // 2):
            manager.record("shown", [ItemEvent(ordinal, "succeed", {"result": ordinal})])
    program = ("-m", "milepost")
    bare, imported, version, helped, shown = in_turn(
        ROUNDS,
        started("-c", "pass"),
        started("-c", IMPORT),
        started(*program, "--version"),
        started(*program, "--help"),
        started(*program, "show", "shown", "--db", str(path)),
    )
    floor = ("a bare interpreter", bare)
    yield differences(IMPORT, imported, floor, unit="ms", budget=at_most(60))
    yield as_it_is("milepost --version", version, floor, unit="ms", budget=at_most(120))
    yield as_it_is("milepost --help", helped, floor, unit="ms", budget=at_most(150))
    yield as_it_is("milepost show JOB", shown, floor, unit="ms", budget=at_most(180))
