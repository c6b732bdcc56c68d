"""Our own stores keep the contract that others are given: milepost.testing.contracts."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from milepost import ItemEvent, StateManager, StateStore
from milepost.state.persistence import open_store
from milepost.testing import FakeClock
from milepost.testing.contracts import Opener, StoreContract
from milepost.testing.contracts.stores.commits import CommitContract
from milepost.testing.contracts.stores.managers import ManagerContract
from milepost.testing.contracts.stores.moments import MomentContract
from milepost.testing.contracts.stores.reopening import ReopeningContract
from tests.postgres import needs_postgres, new_url


@pytest.fixture(autouse=True)
def counts(record_property: Callable[[str, object], None]) -> None:
    record_property("counted about", ("store contract", {"tests of it on our own": 1}))


class TestMemory(StoreContract):
    shared = False

    @pytest.fixture
    def store_url(self) -> str:
        return "memory:"


class TestFile(StoreContract):
    @pytest.fixture
    def store_url(self, tmp_path: Path) -> str:
        return f"sqlite:///{tmp_path / 'jobs.db'}"

    def test_rows_are_merged(self, store: StateStore) -> None:
        """All but the newest, which the next has to find."""
        manager = StateManager(store, clock=FakeClock())
        manager.create_job([f"{n}" for n in range(8)], job_id="j")
        manager.fire("j", "start_map")
        for n in range(8):
            manager.record("j", [ItemEvent(n, "start")])
            manager.record("j", [ItemEvent(n, "succeed", {"result": {"n": n}})])
        manager.fire("j", "cancel")
        done = manager.compact("j")
        assert (done.rows, done.blocks) == (18, 1)


class TestFileThatOutlivesProcesses(
    CommitContract, MomentContract, ManagerContract, ReopeningContract
):
    """Where only the way differs in which commits are made, and the statements are the same."""

    @pytest.fixture
    def store_url(self, tmp_path: Path) -> str:
        return f"sqlite:///{tmp_path / 'jobs.db'}"

    @pytest.fixture
    def opener(self, store_url: str) -> Opener:
        def opened(*, read_only: bool = False) -> StateStore:
            return open_store(
                store_url, create=not read_only, read_only=read_only, durability="process"
            )

        return opened


@needs_postgres
class TestServer(StoreContract):
    @pytest.fixture
    def store_url(self, postgres: str) -> str:
        return new_url(postgres)
