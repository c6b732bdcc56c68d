"""The definitions of this repository, and what is made of them."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Final

from milepost.machine import Lifecycle
from tests.contract.lifecycles.compiling import at_once

__all__ = ["DEFINITIONS", "ROOT", "compiled", "named"]

ROOT: Final = Path(__file__).parents[2]

DEFINITIONS: Final = tuple(
    sorted(
        (
            *(ROOT / "examples").glob("*/*.yaml"),
            *(ROOT / "lifecycles").glob("*.yaml"),
            *(ROOT / "tests" / "contract" / "lifecycles" / "definitions").glob("*.yaml"),
            *(ROOT / "tests" / "golden").glob("*.yaml"),
            ROOT / "statemachine.yaml",
        )
    )
)
"""Every definition that compiles and is of nothing else's test."""


def named(path: Path) -> str:
    """The path of a definition, for the name of a test."""
    return path.relative_to(ROOT).as_posix()


@cache
def compiled(path: Path) -> Lifecycle:
    """The tables of a definition."""
    return at_once(path.read_text(encoding="utf-8"))
