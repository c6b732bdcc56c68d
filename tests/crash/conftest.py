"""A nursery for each module, and jobs to be killed in folders of their own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from milepost.testing.deaths import Killed, Nursery, Trial
from tests.crash.work import Spec, is_in_order, is_whole, work

Trials = Callable[..., Trial]
Counted = Callable[[str, Killed], None]


@pytest.fixture(scope="module")
def nursery(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nursery]:
    with Nursery(tmp_path_factory.mktemp("nursery") / "errors.txt") as opened:
        yield opened


@pytest.fixture
def trials(tmp_path: Path, nursery: Nursery) -> Trials:
    """The trial of a job of that Spec, at a URL or in a file, by the module's nursery, say.

    Who is not alone with it is judged by what was promised: what is read twice may have changed.
    """
    numbers = count()

    def new(spec: Spec, url: str = "", by: Nursery = nursery, *, alone: bool = True) -> Trial:
        number = next(numbers)
        place = url or str(tmp_path / f"trial-{number}.db")
        journal = tmp_path / f"trial-{number}.journal"
        judged = judges(spec) if alone else {}
        return Trial(partial(work, spec), place, journal, by, **judged)

    return new


def judges(spec: Spec) -> dict[str, Any]:
    """What else must hold of such a job."""
    return {"check": partial(is_whole, spec), "always": partial(is_in_order, spec)}


@pytest.fixture
def deaths(record_property: Callable[[str, object], None]) -> Counted:
    """Adds what was tried to the count of that name."""

    def count(name: str, killed: Killed) -> None:
        counts = killed.counts
        processes = {"processes": counts.pop("processes")}
        if "random" not in name:
            record_property("counted", (name, counts))
        record_property("counted about", (name, processes))  # one commit may be about two points

    return count
