"""The files under an open store: they stay, or the caller is told; never an answer into nothing."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from milepost import ItemEvent, MilepostError, StateManager
from milepost.errors import StoreError, StoreReplaced
from milepost.stores.sqlite import ofd as sqlite_ofd
from tests.stores.unguarded import opened

ROOT = Path(__file__).parents[2]
KEYS = [f"k{number}" for number in range(20)]


def acknowledged(db: Path, look: str, guard: str) -> int:
    """How many records a process that looks at its file so is told of, before it is killed."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.stores.looked_at", str(db), look, guard],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stderr == ""
    return int(done.stdout)


LOOKS = ["sqlite3", "bytes", "copy", "memmap"]


@pytest.mark.parametrize("look", LOOKS)
def test_a_look_in_the_same_process_costs_no_record(tmp_path: Path, look: str) -> None:
    """By another SQLite library, a copy, a read, a map: each drops the locks of the process."""
    db = tmp_path / "jobs.db"
    assert acknowledged(db, look, "guarded") == len(KEYS)
    with StateManager.open(db) as manager:
        assert manager.get_state("j").progress.done == len(KEYS)
        assert manager.verify("j")[0].sound


def test_without_the_guard_a_look_does(tmp_path: Path) -> None:
    """The negative control: what was acknowledged is gone, and the file says that it is sound."""
    db = tmp_path / "jobs.db"
    assert acknowledged(db, "sqlite3", "unguarded") == len(KEYS)
    with StateManager.open(db) as manager:
        assert manager.get_state("j").progress.done < len(KEYS)


def rm(*suffixes: str) -> Callable[[Path], None]:
    def remove(db: Path) -> None:
        for suffix in suffixes:
            Path(f"{db}{suffix}").unlink()

    return remove


def mv(db: Path) -> None:
    db.rename(db.with_name("moved.db"))


def mv_folder(db: Path) -> None:
    db.parent.rename(db.parent.with_name("elsewhere"))


def restore(db: Path) -> None:
    """Put a backup in its place, as one should not while it is open."""
    copy = db.with_name("copy.db")
    shutil.copy(db, copy)
    copy.replace(db)


def restore_in_a_moved_folder(db: Path) -> None:
    mv_folder(db)
    db.parent.mkdir()
    shutil.copy(db.parent.with_name("elsewhere") / db.name, db)


CHANGES = {
    "the file deleted": rm(""),
    "the log deleted": rm("-wal"),
    "the index deleted": rm("-shm"),
    "all deleted": rm("", "-wal", "-shm"),
    "moved": mv,
    "its folder moved": mv_folder,
    "replaced": restore,
    "its folder replaced": restore_in_a_moved_folder,
}


@pytest.fixture
def db(tmp_path: Path) -> Path:
    """A path of which the last folder may be moved too."""
    folder = tmp_path / "state"
    folder.mkdir()
    return folder / "jobs.db"


def begun(manager: StateManager) -> StateManager:
    manager.create_job(["a", "b"], job_id="j")
    manager.fire("j", "start_map")
    return manager


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_nothing_is_acknowledged_into_files_that_the_path_does_not_name(
    db: Path, change: Callable[[Path], None]
) -> None:
    """Nor read from them, and it stays so, whatever is there later; close() harms nothing."""
    manager = begun(StateManager.open(db))
    change(db)
    before = sorted(found.name for found in db.parent.glob("*")) if db.parent.exists() else []
    with pytest.raises(StoreReplaced):
        manager.record("j", [ItemEvent("a", "start")])
    for use in (
        lambda: manager.record("j", [ItemEvent("a", "start")]),
        lambda: manager.get_state("j"),
        lambda: manager.create_job(["a"], job_id="k"),
        manager.check_store,
        manager.vacuum,
    ):
        with pytest.raises(StoreReplaced) as refused:
            use()
        assert not refused.value.committed
    manager.close()
    after = sorted(found.name for found in db.parent.glob("*")) if db.parent.exists() else []
    assert after == before


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_a_reader_is_told_too(db: Path, change: Callable[[Path], None]) -> None:
    """Answers from deleted files would be true of nothing for ever."""
    with begun(StateManager.open(db)), StateManager.open(db, read_only=True) as reader:
        assert reader.get_state("j").phase == "map"
        change(db)
        with pytest.raises(StoreReplaced, match="open it again"):
            reader.get_state("j")


def test_without_the_guard_deleted_files_are_written_to(db: Path) -> None:
    """The negative control of both."""
    manager = begun(opened(db, guarded=False))
    rm("", "-wal", "-shm")(db)
    manager.record("j", [ItemEvent("a", "start")])
    assert manager.get_state("j").progress.running == 1
    assert list(db.parent.iterdir()) == []


def test_a_store_that_was_replaced_harms_none_that_is_there_now(db: Path) -> None:
    """It closes without what SQLite does at the end of a file: delete the log by its name."""
    old = begun(StateManager.open(db))
    rm("", "-wal", "-shm")(db)
    with StateManager.open(db) as new:
        begun(new)
        old.close()
        with pytest.raises(StoreError, match="closed"):
            old.get_state("j")
        new.record("j", [ItemEvent("a", "start")])
        assert Path(f"{db}-wal").exists()
    with StateManager.open(db, read_only=True) as manager:
        assert manager.get_state("j").progress.running == 1


def test_a_relative_path_is_meant_as_it_was_when_it_was_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process may change its folder."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "other").mkdir()
    with StateManager.open("jobs.db") as manager:
        begun(manager)
        os.chdir("other")
        manager.record("j", [ItemEvent("a", "start")])
        assert manager.get_state("j").progress.running == 1
    assert not list((tmp_path / "other").iterdir())
    with StateManager.open(tmp_path / "jobs.db") as manager:
        assert manager.get_state("j").progress.running == 1


def test_two_paths_to_one_file_are_one_store(tmp_path: Path) -> None:
    """A link and the file itself, in one process and in two."""
    db, link = tmp_path / "jobs.db", tmp_path / "link.db"
    link.symlink_to(db)
    with StateManager.open(db) as first, StateManager.open(link) as second:
        begun(first)
        second.record("j", [ItemEvent("a", "start")])
        first.record("j", [ItemEvent("b", "start")])
        assert second.get_state("j").progress.running == 2
        second.close()
        first.record("j", [ItemEvent("b", "succeed", {"result": 1})])
    assert sorted(found.name for found in tmp_path.iterdir()) == ["jobs.db", "link.db"]


def test_a_link_that_leads_elsewhere_now_is_noticed(tmp_path: Path) -> None:
    """What the path names is what counts."""
    link = tmp_path / "link.db"
    for name in ("one", "two"):
        with StateManager.open(tmp_path / name) as manager:
            begun(manager)
    link.symlink_to(tmp_path / "one")
    with StateManager.open(link) as manager:
        link.unlink()
        link.symlink_to(tmp_path / "two")
        with pytest.raises(StoreReplaced):
            manager.record("j", [ItemEvent("a", "start")])


@pytest.mark.parametrize("where", ["here", "another process"])
def test_a_second_name_of_an_open_file_is_refused(tmp_path: Path, where: str) -> None:
    """The log is named after the file: by two hard links, two would keep two logs."""
    db, other = tmp_path / "jobs.db", tmp_path / "other.db"
    with StateManager.open(db) as manager:
        begun(manager)
        os.link(db, other)
        if where == "here":
            with pytest.raises(MilepostError, match=r"open as .*jobs\.db"):
                StateManager.open(other)
        else:
            code = (
                "import sys\n"
                "from milepost import StateManager\n"
                "from milepost.errors import StoreLocked\n"
                "try: StateManager.open(sys.argv[1], busy_timeout_s=0)\n"
                "except StoreLocked as error: print(error)\n"
            )
            found = subprocess.run(
                [sys.executable, "-c", code, str(other)],
                capture_output=True,
                text=True,
                check=True,
            )
            assert "another name" in found.stdout
        manager.record("j", [ItemEvent("a", "start")])
    with StateManager.open(other) as manager:
        assert manager.get_state("j").progress.running == 1


def handles() -> list[str]:
    """What the descriptors of this process lead to."""
    found = []
    for link in Path("/proc/self/fd").iterdir():
        with suppress(FileNotFoundError):
            found.append(str(link.readlink()))
    return found


@pytest.mark.skipif(sys.platform != "linux", reason="/proc is Linux's")
def test_no_descriptor_is_left_behind_or_handed_on(tmp_path: Path) -> None:
    """However often a store is opened, beside one that stays open too; nor to what is started."""
    db = tmp_path / "jobs.db"
    with StateManager.open(db) as manager:
        begun(manager)
        manager.get_state("j")
        counts = []
        for number in range(100):
            with StateManager.open(db, read_only=bool(number % 2)) as other:
                assert other.get_state("j").phase == "map"
            counts.append(sum(str(tmp_path) in path for path in handles()))
        assert counts[2:] == counts[2:3] * 98  # SQLite keeps one of each kind to use it again
        code = "import os; print(*(os.path.realpath(f'/proc/self/fd/{n}') for n in range(3, 99)))"
        told = subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            text=True,
            check=True,
            close_fds=False,
        )
        assert "jobs.db" not in told.stdout
        manager.record("j", [ItemEvent("a", "start")])
    assert not [path for path in handles() if str(tmp_path) in path]


def test_where_there_are_no_such_locks_files_are_looked_at(
    db: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """With a warning; everything works, and what is replaced is noticed."""
    monkeypatch.setattr(sqlite_ofd, "_SET", 9999)  # what no system knows: it says EINVAL
    with StateManager.open(db) as manager, StateManager.open(db) as second:
        begun(manager)
        second.record("j", [ItemEvent("a", "start")])
        assert "no locks that belong to an open file" in caplog.text
        rm("", "-wal", "-shm")(db)
        with pytest.raises(StoreReplaced):
            manager.record("j", [ItemEvent("b", "start")])


def test_a_store_that_nobody_closed_is_tidied_at_the_end(tmp_path: Path) -> None:
    """As it always was: one file is left."""
    code = (
        "import sys\nfrom milepost import StateManager\n"
        "manager = StateManager.open(sys.argv[1])\nmanager.create_job(['a'], job_id='j')\n"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "jobs.db")], check=True)
    assert [found.name for found in tmp_path.iterdir()] == ["jobs.db"]


def test_a_look_is_not_trusted_while_the_clock_of_the_folder_is_coarse(
    db: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing else tells a second change of the folder from one in the same instant."""
    with begun(StateManager.open(db)) as manager:
        manager.record("j", [ItemEvent("a", "start")])
        seen = db.parent.stat()
        db.rename(db.with_name("moved.db"))
        monkeypatch.setattr(os, "stat", _as_of(db.parent, seen, os.stat))
        with pytest.raises(StoreReplaced):
            manager.record("j", [ItemEvent("b", "start")])
        monkeypatch.undo()


def _as_of(folder: Path, seen: os.stat_result, stat: Callable[..., Any]) -> Callable[..., Any]:
    """A stat that finds the folder as it was."""

    def found(path: Any, *args: Any, **kwargs: Any) -> Any:
        return seen if path == str(folder) else stat(path, *args, **kwargs)

    return found
