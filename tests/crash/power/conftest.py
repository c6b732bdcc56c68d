"""Places on a file system in memory where there is one: nothing here rests on a real disk."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.conftest import COUNTED

Count = Callable[..., None]


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Path]:
    memory = Path("/dev/shm")  # noqa: S108 it is only taken where it is there
    if not memory.is_dir():
        yield tmp_path
        return
    folder = Path(tempfile.mkdtemp(dir=memory))
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def counted(record_property: Callable[[str, object], None]) -> Count:
    """Says how much a test tried: `counted("power cuts", positions=…)`."""

    def count(of: str, **counts: int) -> None:
        record_property(COUNTED, [of, {name.replace("_", " "): n for name, n in counts.items()}])

    return count
