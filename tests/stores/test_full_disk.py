"""A disk without room: StoreFull for all who wait, nothing of it written, all else as before."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import apsw
import pytest

from milepost import AsyncStateManager, CheckpointPolicy, ItemEvent, StateManager
from milepost.errors import CommitUnknown, JobAbsent, StateError, StoreFull
from milepost.executors import RunOutcome, run
from milepost.stores.sqlite import outcome as sqlite_outcome
from milepost.stores.sqlite.store import SqliteStore
from milepost.testing import FakeClock
from tests.stores.full import ROOM, Room, RoomVFS, files_up_to, fill, small_disk

ITEMS = 400
FRAMES_OF_AN_INDEX_BLOCK = 4062
"""The first block of SQLite's index of the log knows so many frames."""


@pytest.fixture
def room() -> Iterator[Room]:
    room = Room()
    vfs = RoomVFS(room)
    yield room
    vfs.unregister()


def at_work(manager: StateManager, items: int = ITEMS) -> StateManager:
    """A manager whose job maps, with every item begun."""
    manager.create_job([f"k{n}" for n in range(items)], job_id="job")
    manager.fire("job", "start_map")
    manager.record("job", [ItemEvent(n, "start") for n in range(items)])
    return manager


def done(ordinal: int, size: int = 2500) -> list[ItemEvent]:
    return [ItemEvent(ordinal, "succeed", {"result": os.urandom(size).hex()})]


def until_full(manager: StateManager, first: int = 0) -> int:
    """Record one result after the other; how many items are done when the disk is full."""
    count = first
    with pytest.raises(StoreFull, match="nothing of it was written"):
        for ordinal in range(first, ITEMS):
            manager.record("job", done(ordinal))
            count += 1
    return count


def reader_sees(path: Path) -> int:
    """How many items are done, as another process finds the store."""
    code = (
        "import sys; from milepost import StateManager\n"
        "with StateManager.open(sys.argv[1], read_only=True) as manager:\n"
        "    assert manager.verify('job')[0].sound and not manager.check_store()\n"
        "    print(manager.get_state('job').progress.done)"
    )
    told = subprocess.run(
        [sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True
    )
    return int(told.stdout)


def test_a_full_disk_is_named_and_work_goes_on_once_there_is_room(tmp_path: Path) -> None:
    """What was acknowledged is there for others; the same manager, freed of it, goes on."""
    with (
        small_disk(tmp_path / "disk", "1m") as disk,
        at_work(StateManager.open(disk / "jobs.db")) as manager,
    ):
        filler = disk / "filler"
        filler.write_bytes(b"x" * 300_000)
        count = until_full(manager)
        assert 0 < count < ITEMS
        until_full(manager, count)
        assert manager.get_state("job").progress.done == reader_sees(disk / "jobs.db") == count
        filler.unlink()
        manager.record("job", done(count))
        assert reader_sees(disk / "jobs.db") == count + 1


def test_a_file_that_may_not_grow_is_full(tmp_path: Path) -> None:
    """EFBIG is to SQLite an I/O error of many: what the system said of it decides."""
    with at_work(StateManager.open(tmp_path / "jobs.db")) as manager:
        with files_up_to(200_000):
            count = until_full(manager)
            assert count == reader_sees(tmp_path / "jobs.db") > 0
        manager.record("job", done(count))
        assert reader_sees(tmp_path / "jobs.db") == count + 1


def test_no_room_at_any_write(tmp_path: Path, room: Room) -> None:
    """Whichever write of a commit finds no room: StoreFull, and the next commit is whole."""
    with at_work(StateManager(SqliteStore(tmp_path / "jobs.db", vfs=ROOM))) as manager:
        refused = 0
        for left in range(1000):
            room.left = left
            try:
                manager.record("job", done(0, 20_000))
                break
            except StoreFull as error:
                refused += 1
                assert error.code == "store-full"
                assert manager.get_state("job").progress.done == 0
            finally:
                room.left = None
        assert refused > 10
        assert manager.verify("job")[0].sound
        assert reader_sees(tmp_path / "jobs.db") == 1


def test_all_of_a_group_are_told(tmp_path: Path, room: Room) -> None:
    """Threads that share a commit, and coroutines that do, each learn that it was not written."""

    async def together(manager: AsyncStateManager) -> list[Any]:
        writes = [manager.record("job", done(ordinal)) for ordinal in range(20)]
        return await asyncio.gather(*writes, return_exceptions=True)

    with at_work(StateManager(SqliteStore(tmp_path / "jobs.db", vfs=ROOM))) as manager:
        room.left = 0
        with ThreadPoolExecutor(8) as pool:
            futures = [pool.submit(manager.record, "job", done(n)) for n in range(20)]
        assert {type(future.exception()) for future in futures} == {StoreFull}
        told = asyncio.run(together(AsyncStateManager(manager)))
        assert {type(answer) for answer in told} == {StoreFull}
        room.left = None
        told = asyncio.run(together(AsyncStateManager(manager)))
        assert not [answer for answer in told if isinstance(answer, BaseException)]
        assert reader_sees(tmp_path / "jobs.db") == 20


def test_items_that_come_in_when_it_is_full(tmp_path: Path, room: Room) -> None:
    """No job is there, and what was staged of it is gone once there is room and it is swept."""

    def items() -> Iterator[str]:
        for number in range(40_000):
            if number == 30_000:
                room.left = 3
            yield f"item-{number}"

    with StateManager(SqliteStore(tmp_path / "jobs.db", vfs=ROOM), clock=FakeClock()) as manager:
        with pytest.raises(StoreFull):
            manager.create_job(items(), job_id="large")
        with pytest.raises(JobAbsent):
            manager.get_state("large")
        room.left = None
        room_again = manager.create_job((f"item-{n}" for n in range(40_000)), job_id="large")
        assert room_again.items.count == 40_000
        assert manager.verify("large")[0].sound
        assert not manager.list_strays()


UPKEEP: dict[str, Callable[[StateManager, Path], Any]] = {
    "create_checkpoint": lambda manager, _: manager.create_checkpoint("job"),
    "back_up": lambda manager, copy: manager.back_up(copy),
    "compact": lambda manager, _: manager.compact("job"),
    "fork": lambda manager, _: manager.fork("job", 5, "fork"),
    "lease": lambda manager, _: manager.lease("job", "me").__enter__(),
    "keep_job": lambda manager, _: manager.keep("job", for_=None, reason="why not"),
    "add_items": lambda manager, _: manager.add_items("job", ["new"]),
}


@pytest.mark.parametrize("name", UPKEEP)
def test_upkeep_that_finds_no_room(tmp_path: Path, room: Room, name: str) -> None:
    """Everything else that writes says so too, changes nothing, and works once there is room."""
    path, copy = tmp_path / "jobs.db", tmp_path / "copy.db"
    with at_work(StateManager(SqliteStore(path, vfs=ROOM))) as manager:
        for ordinal in range(100):
            manager.record("job", done(ordinal, 50))
        if name == "compact":  # what does not fill a block is left while the job goes on
            manager.fire("job", "cancel")
        before = manager.get_state("job")
        room.left = 0
        with pytest.raises(StoreFull) as refused:
            UPKEEP[name](manager, copy)
        assert (str(copy) in refused.value.url) == (name == "back_up")
        assert not copy.exists()
        room.left = None
        assert manager.get_state("job") == before
        assert manager.verify("job")[0].sound
        UPKEEP[name](manager, copy)


def test_a_vacuum_and_a_migration_that_find_no_room(tmp_path: Path) -> None:
    """A file that is to be written anew, or taken to a newer format, stays as it is."""
    old = (Path(__file__).parent / "format-1.sqlite3").read_bytes()
    (tmp_path / "old.db").write_bytes(old)
    with files_up_to(8192), pytest.raises(StoreFull):
        StateManager.open(tmp_path / "old.db")
    with StateManager.open(tmp_path / "old.db", read_only=True) as manager:
        assert manager.store_format().version == 1
    with StateManager.open(tmp_path / "old.db") as manager:
        assert not manager.store_format().pending
        assert manager.job_ids()
        with files_up_to(8192), pytest.raises(StoreFull):
            manager.vacuum()
        assert manager.vacuum().how == "full"


def test_a_new_store_on_a_full_disk(tmp_path: Path) -> None:
    """There is no room for a file, or for a folder that leads to it."""
    with small_disk(tmp_path / "disk", "256k") as disk:
        fill(disk)
        with pytest.raises(StoreFull):
            StateManager.open(disk / "jobs.db")
        (disk / "filler").unlink()
        with StateManager.open(disk / "jobs.db") as manager:
            manager.create_job(["a"], job_id="job")


def test_a_run_ends_in_order_and_the_next_goes_on(tmp_path: Path, room: Room) -> None:
    """What was done and not recorded is done again by the next run; nothing hangs."""
    calls: list[str] = []

    def measure(item: Any) -> str:
        calls.append(item.key)
        if len(calls) == 30:
            room.left = 0
        return f"{item.key} measured"

    def again(manager: StateManager) -> RunOutcome:
        with ThreadPoolExecutor(4) as pool:
            return run(manager, "job", measure, executor=pool, policy=CheckpointPolicy(commits=3))

    store = SqliteStore(tmp_path / "jobs.db", vfs=ROOM)
    clock = FakeClock()
    with StateManager(store, clock=clock) as manager:
        manager.create_job([f"k{n}" for n in range(60)], job_id="job")
        with pytest.raises(StoreFull):
            again(manager)
        room.left = None
        clock.advance(31)  # nor was there room to give the lease back
        assert 0 < manager.get_state("job").progress.done <= 30
        again(manager)
        assert manager.get_state("job").progress.done == 60
        assert dict(manager.results("job")) == {f"k{n}": f"k{n} measured" for n in range(60)}


@pytest.mark.parametrize("overwritten", [True, False], ids=["as it is", "control"])
def test_the_index_of_the_log_cannot_grow(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, overwritten: bool
) -> None:
    """A commit that is written and could not be noted is no commit, after a crash either.

    Where its frames stay, whoever recovers the log finds the result that was said not to be.
    """
    if not overwritten:
        monkeypatch.setattr(sqlite_outcome, "_overwritten", lambda *_: True)
    with small_disk(tmp_path / "disk", "40m") as disk:
        path = disk / "jobs.db"
        manager = at_work(StateManager.open(path, durability="process"))
        looking = apsw.Connection(str(path))  # the log is not begun anew meanwhile
        looking.execute("BEGIN")
        list(looking.execute("SELECT * FROM tips"))
        count, taken, frames = 0, 0, 0
        while frames + taken <= FRAMES_OF_AN_INDEX_BLOCK:
            manager.record("job", done(count, 120_000))
            count += 1
            now = (disk / "jobs.db-wal").stat().st_size // 4120
            taken, frames = now - frames, now
        fill(disk, left_bytes=(taken + 4) * 4096)  # the index would grow by 8 pages
        with pytest.raises(StoreFull) as refused:
            manager.record("job", done(count, 120_000))
        cause: Any = refused.value.__cause__
        assert cause.extendedresult == apsw.SQLITE_IOERR_SHMSIZE
        crashed = tmp_path / "crashed"
        crashed.mkdir()
        subprocess.run(["cp", str(path), f"{path}-wal", str(crashed)], check=True)
        assert reader_sees(crashed / "jobs.db") == count + (not overwritten)
        looking.close()
        (disk / "filler").unlink()
        manager.record("job", done(count))
        manager.close()
        assert reader_sees(path) == count + 1


def test_another_error_is_not_taken_for_a_full_disk(tmp_path: Path) -> None:
    """The negative control: an I/O error of another kind hides the outcome, as before."""

    class Failing(apsw.VFSFile):  # type: ignore[misc]  # apsw has no stubs here
        def xWrite(self, data: bytes, offset: int) -> None:  # noqa: N802
            if broken:
                raise apsw.IOError("the test says so")
            super().xWrite(data, offset)

    class FailingVFS(apsw.VFS):  # type: ignore[misc]  # apsw has no stubs here
        def xOpen(self, name: Any, flags: list[int]) -> Failing:  # noqa: N802
            return Failing("", name, flags)

    broken: list[bool] = []
    vfs = FailingVFS("milepost-test-broken", "")
    with at_work(StateManager(SqliteStore(tmp_path / "jobs.db", vfs="milepost-test-broken"))) as m:
        broken.append(True)
        with pytest.raises(CommitUnknown):
            m.record("job", done(0))
        with pytest.raises(StateError, match=r"I/O|test says"):
            m.back_up(tmp_path / "copy.db")
        broken.clear()
        m.record("job", done(0))
    vfs.unregister()
