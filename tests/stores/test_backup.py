"""A copy of a store while others write to it."""

from __future__ import annotations

import errno
import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from milepost import ItemEvent, StateManager
from milepost.errors import StoreError
from milepost.state.keeping.salvage import salvage
from milepost.testing import FakeClock
from tests.stores.full import files_up_to


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


def killed(code: str, *given: object) -> None:
    """Run `code` in a process of its own, which kills itself."""
    ended = subprocess.run(
        [sys.executable, "-c", f"import os, signal, sys\n{code}", *map(str, given)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == -signal.SIGKILL, ended.stderr


KILL = "os.kill(os.getpid(), signal.SIGKILL)"


@pytest.mark.parametrize("call", ["fsync", "link"])
def test_a_backup_that_is_killed_is_no_store(
    manager: StateManager, tmp_path: Path, call: str
) -> None:
    """Nothing has its name: no store that is cut short, and none that is empty."""
    copy = tmp_path / "copy.db"
    code = (
        "from milepost import StateManager\n"
        f"os.{call} = lambda *_: {KILL}\n"
        "StateManager.open(sys.argv[1], read_only=True).back_up(sys.argv[2])"
    )
    killed(code, tmp_path / "jobs.db", copy)
    assert not copy.exists()
    assert [path.name for path in tmp_path.glob(".copy.db.*.part")], "what is left is hidden"
    manager.back_up(copy)
    with StateManager.open(copy, read_only=True) as copied:
        assert copied.get_state("job") == manager.get_state("job")


def test_a_salvage_that_is_killed_is_no_store(manager: StateManager, tmp_path: Path) -> None:
    """One with some of the jobs would be taken for all that could be had."""
    manager.create_job(["a"], job_id="another")
    new = tmp_path / "new.db"
    code = (
        "from pathlib import Path\n"
        "from milepost.state.keeping.salvage import salvage\n"
        "old, new = map(Path, sys.argv[1:])\n"
        f"for _ in salvage(old, new): {KILL}"
    )
    killed(code, tmp_path / "jobs.db", new)
    assert not new.exists()
    assert len(list(salvage(tmp_path / "jobs.db", new))) == 2
    assert sorted(path.name for path in tmp_path.glob("new.db*")) == ["new.db"]


def test_a_name_that_somebody_takes_meanwhile_stays_theirs(
    manager: StateManager, tmp_path: Path
) -> None:
    jobs = salvage(tmp_path / "jobs.db", tmp_path / "new.db")
    next(jobs)
    (tmp_path / "new.db").write_text("mine")
    with pytest.raises(StoreError, match="there is a file already"):
        list(jobs)
    assert (tmp_path / "new.db").read_text() == "mine"
    assert not list(tmp_path.glob(".new.db*"))
    manager.close()


def test_a_file_system_without_links_will_do(
    manager: StateManager, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object) -> None:
        raise PermissionError(errno.EPERM, "no links here")

    monkeypatch.setattr(os, "link", refused)
    copy = tmp_path / "copy.db"
    assert manager.back_up(copy) == copy.stat().st_size
    with pytest.raises(StoreError, match="there is a file already"):
        manager.back_up(copy)
    with StateManager.open(copy, read_only=True) as copied:
        assert copied.get_state("job") == manager.get_state("job")
    assert not list(tmp_path.glob(".copy.db*"))


def test_a_copy_that_cannot_be_made_durable_does_not_keep_its_name(
    manager: StateManager, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever tries again would find a file there."""
    fsync = os.fsync

    def failing(handle: int) -> None:
        if stat.S_ISDIR(os.fstat(handle).st_mode):
            raise OSError(errno.EIO, "no such luck")
        fsync(handle)

    monkeypatch.setattr(os, "fsync", failing)
    copy = tmp_path / "copy.db"
    with pytest.raises(StoreError, match="cannot be made durable"):
        manager.back_up(copy)
    monkeypatch.undo()
    assert manager.back_up(copy) == copy.stat().st_size


def test_a_hidden_file_that_somebody_removes_leaves_no_empty_store(
    manager: StateManager, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def removed(part: Path, _: Path) -> None:
        part.unlink()
        raise FileNotFoundError(errno.ENOENT, "it was there a moment ago", str(part))

    monkeypatch.setattr(os, "link", removed)
    with pytest.raises(StoreError, match="cannot be put in its place"):
        manager.back_up(tmp_path / "copy.db")
    assert not (tmp_path / "copy.db").exists()


def test_a_long_name_will_do(manager: StateManager, tmp_path: Path) -> None:
    """File systems count bytes, of which a letter may take several."""
    copy = tmp_path / f"{'ж' * 115}.db"
    assert manager.back_up(copy) == copy.stat().st_size


def test_a_salvage_that_has_no_room_at_its_end_is_no_store(
    manager: StateManager, tmp_path: Path
) -> None:
    """SQLite says nothing where it cannot bring the log in as the file is closed."""
    jobs = salvage(tmp_path / "jobs.db", tmp_path / "new.db")
    next(jobs)
    (part,) = tmp_path.glob(".new.db.*.part")
    with (
        files_up_to(part.stat().st_size),
        pytest.raises(StoreError, match="not all of it came in from its -wal file"),
    ):
        list(jobs)
    assert not [*tmp_path.glob("*new.db*")]
    assert len(list(salvage(tmp_path / "jobs.db", tmp_path / "new.db"))) == 1
