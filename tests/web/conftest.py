"""The story's store behind the pages, asked in this process."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from milepost import StateManager
from milepost.testing import FakeClock
from milepost.web.app import application
from tests.integration.cli.story import tell


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def manager(tmp_path: Path, clock: FakeClock) -> Iterator[StateManager]:
    store = tell(tmp_path, clock)
    with StateManager.open(store, create=False, read_only=True, clock=clock) as manager:
        yield manager


@pytest.fixture
def client(manager: StateManager, clock: FakeClock) -> TestClient:
    """Pages of a store that the test may write to."""
    return TestClient(application(manager, clock=clock), base_url="http://127.0.0.1:8423")


@pytest.fixture(scope="session")
def looked_at(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    """Pages of a store that nobody writes to."""
    clock = FakeClock()
    store = tell(tmp_path_factory.mktemp("looked_at"), clock)
    with StateManager.open(store, create=False, read_only=True, clock=clock) as manager:
        yield TestClient(application(manager, clock=clock), base_url="http://127.0.0.1:8423")
