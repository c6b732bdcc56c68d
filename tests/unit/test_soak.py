"""tools/soak: each tier once, those that draw their examples until the time is over."""

from __future__ import annotations

import runpy
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
SOAK = runpy.run_path(str(ROOT / "tools" / "soak"))
TIERS: Sequence[Any] = SOAK["TIERS"]


class Machine:
    """Runs nothing, and takes a quarter of an hour for that; the turn `failing` fails."""

    def __init__(self, failing: int = 0) -> None:
        self.failing, self.now_s = failing, 0.0
        self.ran: list[tuple[Sequence[str], str]] = []
        self.said: list[str] = []

    def run(self, command: Sequence[str], environment: Mapping[str, str]) -> int:
        self.now_s += 15 * 60
        self.ran.append((command, environment["MILEPOST_SOAK"]))
        return int(len(self.ran) == self.failing)

    def soak(self, minutes: float) -> int:
        soak: Callable[..., int] = SOAK["soak"]
        return soak(minutes, self.run, lambda: self.now_s, self.said.append)

    def turns(self) -> list[str]:
        """The names of the tiers, as they were run."""
        return [
            tier.name for command, _ in self.ran for tier in TIERS if command[-1] == tier.paths[-1]
        ]


@pytest.mark.parametrize(
    ("minutes", "again"), [(0, 0), (60, 0), (61, 1), (75, 1), (76, 2), (120, 4)]
)
def test_it_goes_on_for_as_long_as_it_is_told(minutes: float, again: int) -> None:
    machine = Machine()
    assert machine.soak(minutes) == 0
    assert machine.turns() == [tier.name for tier in TIERS] + ["drawn"] * again
    assert machine.said[-1].endswith(f"{60 + 15 * again} minutes, and nothing failed")


def test_the_first_that_fails_ends_it() -> None:
    machine = Machine(failing=2)
    assert machine.soak(600) == 1
    assert len(machine.ran) == 2
    assert machine.said[-1] == f"soak: {TIERS[1].name} failed in turn 2"


def test_every_path_is_there() -> None:
    for tier in TIERS:
        for path in tier.paths:
            assert (ROOT / path).exists(), path


def test_every_file_that_knows_of_soaking_is_soaked() -> None:
    """Who reads MILEPOST_SOAK is soaked, or the variable would mean nothing there."""
    soaked = [ROOT / path for tier in TIERS for path in tier.paths]
    knowing = {
        path
        for path in (ROOT / "tests").rglob("*.py")
        if "MILEPOST_SOAK" in path.read_text(encoding="utf-8")
    }
    left_out = {
        str(path.relative_to(ROOT)) for path in knowing if not {path, *path.parents} & {*soaked}
    }
    assert left_out == {"tests/evidence.py", "tests/unit/test_soak.py"}
