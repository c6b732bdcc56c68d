"""Places on a file system in memory where there is one: nothing here rests on a real disk."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from milepost.testing.power.memory import folder_in_memory
from milepost.testing.power.plugin import power
from tests.evidence import ABOUT, COUNTED

__all__ = ["power"]

Count = Callable[..., None]


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Path]:
    with folder_in_memory(tmp_path) as folder:
        yield folder


@pytest.fixture
def counted(record_property: Callable[[str, object], None]) -> Count:
    """Says how much a test tried: `counted("power cuts", positions=…)`, and what chance is in."""

    def count(of: str, *, about: bool = False, **counts: int) -> None:
        named = {name.replace("_", " "): n for name, n in counts.items()}
        record_property(ABOUT if about else COUNTED, [of, named])

    return count
