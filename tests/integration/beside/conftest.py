"""A store whose lifecycle has a place for where large results are kept."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from milepost import StateManager
from milepost.machine import Lifecycle
from milepost.testing import FakeClock
from tests.contract.lifecycles.compiling import BUILT_IN, at_once

_RESULT = "payload: {result: {type: json}}}"
_STORED = "payload: {result: {type: json}, stored: {type: json, default: null}}}"


def _with_role(text: str) -> str:
    """The definition, with the role `stored` if it has none of its own."""
    if "stored:" in text:
        return text
    role = "      result: succeed.result\n"
    return text.replace(_RESULT, _STORED, 1).replace(
        role, f"{role}      stored: succeed.stored\n", 1
    )


WITH_ROLE = _with_role(BUILT_IN)
Opened = Callable[..., StateManager]


@pytest.fixture(scope="session")
def lifecycle() -> Lifecycle:
    return at_once(WITH_ROLE)


@pytest.fixture
def opened(tmp_path: Path, lifecycle: Lifecycle) -> Iterator[Opened]:
    """Opens managers on one store, and closes them."""
    managers: list[StateManager] = []

    def open_manager(**more: Any) -> StateManager:
        manager = StateManager.open(
            tmp_path / "jobs.db", clock=FakeClock(), **{"lifecycle": lifecycle, **more}
        )
        managers.append(manager)
        return manager

    yield open_manager
    for manager in managers:
        manager.close()


@pytest.fixture
def manager(opened: Opened) -> StateManager:
    return opened()


@pytest.fixture
def base(tmp_path: Path) -> Path:
    return tmp_path / "objects"
