"""A nursery for each module, and jobs to be killed in folders of their own."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import pytest

from tests.crash.nursery import Nursery
from tests.crash.trial import Trial


@pytest.fixture(scope="module")
def nursery(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nursery]:
    with Nursery(tmp_path_factory.mktemp("nursery") / "errors.txt") as opened:
        yield opened


@pytest.fixture
def trials(tmp_path: Path, nursery: Nursery) -> Callable[..., Trial]:
    numbers = count()

    def new(**options: object) -> Trial:
        number = next(numbers)
        folder = tmp_path / f"trial-{number}"
        folder.mkdir()
        rng = random.Random(number)  # noqa: S311  seeded: moments are drawn, not secrets
        return Trial(folder, nursery, rng, **options)  # type: ignore[arg-type]

    return new
