"""Damage to a job whose log is in blocks: repaired and salvaged as any other."""

from __future__ import annotations

from pathlib import Path

import apsw
import pytest

from milepost import ItemEvent, StateManager
from milepost.errors import LogCorrupt, StoreUnreadable
from milepost.state.keeping.salvage import salvage
from milepost.stores.sqlite.seals import enable
from milepost.testing import FakeClock


@pytest.fixture
def database(tmp_path: Path) -> Path:
    """A store with a job that has ended and was compacted: all but its newest row in one block."""
    path = tmp_path / "jobs.db"
    with StateManager.open(path, clock=FakeClock()) as manager:
        manager.create_job([f"item {n}" for n in range(8)], job_id="job")
        manager.fire("job", "start_map")
        for n in range(8):
            manager.record("job", [ItemEvent(n, "start")])
            manager.record("job", [ItemEvent(n, "succeed", {"result": {"n": n}})])
        manager.fire("job", "finish_map")
        manager.fire("job", "cancel")
        assert manager.compact("job").blocks == 1
    return path


def change(path: Path, *statements: str) -> None:
    connection = apsw.Connection(str(path))
    enable(connection)
    for statement in statements:
        connection.execute(statement)
    connection.close()


def test_a_lost_end_leaves_the_block_to_go_on_from(database: Path) -> None:
    """The last sound commit is in the block: it is put back where the next one must find it."""
    with StateManager.open(database, clock=FakeClock()) as manager:
        last = manager.get_state("job").seq
        before = manager.state_at("job", last - 1)
    connection = apsw.Connection(str(database))
    ((trigger,),) = connection.execute("SELECT sql FROM sqlite_schema WHERE name = 'commits_stay'")
    connection.close()
    spoil = "UPDATE commits SET digest = x'00'"
    change(database, "DROP TRIGGER commits_stay", spoil, str(trigger))
    with StateManager.open(database, clock=FakeClock()) as manager:
        with pytest.raises((LogCorrupt, StoreUnreadable)):
            manager.get_state("job")
        found = manager.repair("job", apply=True)
        assert found.lost is not None
        assert (found.lost.first, found.lost.last) == (last, last)
        state = manager.get_state("job")
        assert (state.phase, state.progress) == ("reduce", before.progress)
        assert manager.fire("job", "cancel").phase == "cancelled"
        assert len(dict(manager.results("job"))) == 8
        assert manager.verify("job")[0].sound
        assert manager.compact("job").rows > 0
        assert manager.verify("job")[0].sound


def test_a_damaged_block_is_set_aside_whole(database: Path) -> None:
    """Nothing in it can be read, so there is no first commit to stand on, and that is said."""
    change(database, "UPDATE blocks SET heads = x'00'")
    with StateManager.open(database, clock=FakeClock()) as manager:
        (verification,) = manager.verify()
        assert not verification.sound
        assert verification.problems[0].seq == 1
        assert not verification.problems[0].repairable


def test_damaged_bodies_lose_results_and_no_state(database: Path) -> None:
    """Heads and bodies are apart: what the job did is whole."""
    change(database, "UPDATE blocks SET bodies = x'00'")
    with StateManager.open(database, clock=FakeClock()) as manager:
        assert manager.get_state("job").progress.done == 8
        (verification,) = manager.verify()
        assert {problem.invariant for problem in verification.problems} == {"INV-CHAIN"}
        with pytest.raises(LogCorrupt):
            list(manager.results("job"))


def test_a_compacted_job_is_salvaged(database: Path, tmp_path: Path) -> None:
    """Blocks are copied as they are."""
    with StateManager.open(database, clock=FakeClock()) as manager:
        before = manager.get_state("job"), list(manager.results("job"))
    copy = tmp_path / "copy.db"
    (salvaged,) = salvage(database, copy, clock=FakeClock())
    assert salvaged.whole
    with StateManager.open(copy, clock=FakeClock()) as manager:
        assert (manager.get_state("job"), list(manager.results("job"))) == before
        assert manager.verify("job")[0].sound
