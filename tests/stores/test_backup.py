"""A copy of a store while others write to it."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from milepost import ItemEvent, StateManager
from milepost.errors import StoreError
from milepost.testing import FakeClock


@pytest.fixture
def manager(tmp_path: Path) -> StateManager:
    manager = StateManager.open(tmp_path / "jobs.db", clock=FakeClock())
    manager.create_job(["a", "b"], job_id="job")
    manager.fire("job", "start_map")
    manager.record("job", [ItemEvent("a", "start")])
    manager.record("job", [ItemEvent("a", "succeed", {"result": 1})])
    return manager


def test_a_copy_is_a_store_of_that_moment(manager: StateManager, tmp_path: Path) -> None:
    """What is written later is not in it, and it goes its own way."""
    copy = tmp_path / "copy.db"
    before = manager.get_state("job")
    size_bytes = manager.back_up(copy)
    assert size_bytes == copy.stat().st_size
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    manager.fire("job", "pause")
    with StateManager.open(copy, clock=FakeClock()) as copied:
        assert copied.get_state("job") == before
        assert dict(copied.results("job")) == {"a": 1}
        assert copied.verify("job")[0].sound
        assert copied.check_store() == []
        assert copied.fire("job", "cancel").phase == "cancelled"
    assert manager.get_state("job").phase == "paused"


def test_it_waits_for_nobody_and_takes_what_is_committed(
    manager: StateManager, tmp_path: Path
) -> None:
    """A writer in the middle of a commit is neither waited for nor copied."""
    reader = StateManager.open(tmp_path / "jobs.db", read_only=True, busy_timeout_s=0.0)
    with manager._store.writing() as writer:
        writer.add_job("half", 1, "digest")
        reader.back_up(tmp_path / "copy.db")
    reader.close()
    with StateManager.open(tmp_path / "copy.db", read_only=True) as copied:
        assert copied.job_ids() == ["job"]


def test_nothing_is_overwritten_and_nothing_left_behind(
    manager: StateManager, tmp_path: Path
) -> None:
    """A file that is there stays; a copy that fails is no file."""
    there = tmp_path / "there.db"
    there.write_text("mine")
    with pytest.raises(StoreError, match="there is a file already"):
        manager.back_up(there)
    assert there.read_text() == "mine"
    with pytest.raises(StoreError, match="cannot be made"):
        manager.back_up(tmp_path / "nowhere" / "copy.db")
    with StateManager.open("memory:") as memory, pytest.raises(StoreError, match="in memory"):
        memory.back_up(tmp_path / "memory.db")
    assert not (tmp_path / "memory.db").exists()
