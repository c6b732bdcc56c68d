"""A busy file is waited for, on every way into it, up to the stated time and no longer."""

from __future__ import annotations

import random
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import apsw
import pytest

from milepost.errors import StoreLocked
from milepost.stores.sqlite.guard import Guard
from milepost.stores.sqlite.seals import seal
from milepost.stores.sqlite.store import SqliteStore
from milepost.stores.sqlite.waiting import Patience
from tests.stores.make import store_of


class Naps:
    """Time that passes only while somebody naps; at the nap `at`, `do` is done once."""

    def __init__(self, at: int = 0, do: Callable[[], object] | None = None) -> None:
        self.taken: list[float] = []
        self.now_s = 0.0
        self._at = at
        self._do = do

    def nap(self, seconds: float) -> None:
        self.taken.append(seconds)
        self.now_s += seconds
        if self._do is not None and len(self.taken) == self._at:
            self._do()

    def patience(self, limit_s: float) -> Patience:
        draw = random.Random(len(self.taken)).random  # noqa: S311 no secrets here
        return Patience(limit_s, now=lambda: self.now_s, nap=self.nap, draw=draw)


@pytest.fixture
def database(tmp_path: Path) -> Path:
    path = tmp_path / "jobs.db"
    SqliteStore(path).close()
    return path


@pytest.fixture
def other(database: Path) -> Iterator[apsw.Connection]:
    """Another's connection to the file, which holds whatever lock the test lets it take."""
    connection = apsw.Connection(str(database))
    yield connection
    connection.close()


def hold_write(other: apsw.Connection) -> None:
    other.execute("BEGIN IMMEDIATE")


def hold_all(other: apsw.Connection) -> None:
    """As one does that closes a file, or recovers its log: nobody may even read."""
    list(other.execute("PRAGMA journal_mode = DELETE"))
    other.execute("BEGIN EXCLUSIVE")


def hold_read(other: apsw.Connection) -> None:
    """In a journal mode in which readers keep the mode from being changed."""
    list(other.execute("PRAGMA journal_mode = DELETE"))
    other.execute("BEGIN")
    list(other.execute("SELECT * FROM jobs"))


def opened(database: Path, naps: Naps, **options: bool) -> SqliteStore:
    return SqliteStore(database, busy_timeout_s=2, patience=naps.patience, **options)


@pytest.mark.parametrize("read_only", [False, True], ids=["writing", "reading"])
@pytest.mark.parametrize("hold", [hold_all, hold_read], ids=["exclusive", "a reader"])
def test_opening_waits(
    database: Path, other: apsw.Connection, *, hold: Callable[..., None], read_only: bool
) -> None:
    """Also to change the journal mode, for which SQLite itself does not wait."""
    hold(other)
    naps = Naps(at=30, do=lambda: other.execute("ROLLBACK"))
    opened(database, naps, read_only=read_only).close()
    assert len(naps.taken) == (0 if read_only and hold is hold_read else 30)


def test_opening_an_older_file_waits_to_migrate_it(tmp_path: Path) -> None:
    """The write lock of a step is waited for as any other."""
    path = tmp_path / "jobs.db"
    path.write_bytes(store_of(1).read_bytes())
    other = apsw.Connection(str(path))
    hold_write(other)
    naps = Naps(at=30, do=lambda: other.execute("ROLLBACK"))
    opened(path, naps).close()
    assert len(naps.taken) >= 30
    other.close()


def test_creating_waits(tmp_path: Path) -> None:
    """Where another is making the same file at this moment."""
    path = tmp_path / "new.db"
    other = apsw.Connection(str(path))
    other.execute("BEGIN EXCLUSIVE")
    naps = Naps(at=30, do=lambda: other.execute("ROLLBACK"))
    opened(path, naps).close()
    assert len(naps.taken) >= 30
    other.close()


def test_writing_waits_and_goes_on(database: Path, other: apsw.Connection) -> None:
    """And what was committed meanwhile is seen: waiting never ends in a stale snapshot."""

    def commit() -> None:
        sealed = seal(1, "x", 1, "d")
        other.execute("INSERT INTO jobs VALUES (1, 'x', 1, 'd', ?)", (sealed,))
        other.execute("COMMIT")

    naps = Naps(at=30, do=commit)
    store = opened(database, naps)
    hold_write(other)
    with store.writing() as writer:
        assert writer.job_ids("") == ["x"]
        writer.add_job("y", 2, "d")
    assert len(naps.taken) == 30
    store.close()


@pytest.mark.parametrize("hold", [hold_all, hold_read, hold_write])
def test_the_time_is_the_stated_one(
    database: Path, other: apsw.Connection, hold: Callable[..., None]
) -> None:
    """Not at once, and not twice as long, whichever lock it is."""
    naps = Naps()
    if hold is hold_write:
        store = opened(database, naps)
        hold(other)
        with pytest.raises(StoreLocked, match="2 s"), store.writing():
            pass
        store.close()
    else:
        hold(other)
        with pytest.raises(StoreLocked, match="2 s"):
            opened(database, naps)
    assert naps.now_s == pytest.approx(2)
    assert len(naps.taken) > 1000


def test_no_time_is_no_time(database: Path, other: apsw.Connection) -> None:
    """Who will not wait is told at once."""
    naps = Naps()
    store = SqliteStore(database, busy_timeout_s=0, patience=naps.patience)
    hold_write(other)
    with pytest.raises(StoreLocked, match="0 s"), store.writing():
        pass
    assert naps.taken == []
    store.close()


def test_naps_are_short_uneven_and_do_not_grow() -> None:
    """So nobody who came later asks oftener than those who came before."""
    naps = Naps()
    patience = naps.patience(10)
    waited = 0
    while patience(waited):
        waited += 1
    *all_but_last, _ = naps.taken
    assert all(0.0005 <= nap <= 0.0015 for nap in all_but_last)
    assert len(set(all_but_last)) > len(all_but_last) * 0.9
    half = len(all_but_last) // 2
    early, late = sum(all_but_last[:half]), sum(all_but_last[half : 2 * half])
    assert early == pytest.approx(late, rel=0.05)
    assert naps.now_s == pytest.approx(10)


def test_each_lock_has_its_own_time() -> None:
    """What was waited for before does not count."""
    naps = Naps()
    patience = naps.patience(1)
    while patience(len(naps.taken)):
        pass
    assert patience(0)


def test_eight_processes_that_write_without_a_pause_all_get_their_turns(database: Path) -> None:
    """Real ones: each commits 40 times as fast as it can, and none is ever told that it waits."""
    code = (
        "import sys; from pathlib import Path;"
        "from milepost.stores.sqlite.store import SqliteStore;"
        "store = SqliteStore(Path(sys.argv[1])); print('ready', flush=True); sys.stdin.readline()\n"
        "for n in range(40):\n"
        "    with store.writing() as writer: writer.add_job(f'{sys.argv[2]}-{n}', 1, 'd')\n"
        "store.close()"
    )
    children = [
        subprocess.Popen(
            [sys.executable, "-c", code, str(database), str(number)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for number in range(8)
    ]
    for child in children:
        assert child.stdout is not None
        child.stdout.readline()
    for child in children:
        assert child.stdin is not None
        child.stdin.write("\n")
        child.stdin.flush()
    assert [child.communicate(timeout=60)[1] for child in children] == [""] * 8
    store = SqliteStore(database)
    with store.reading() as reader:
        assert len(reader.job_ids("")) == 8 * 40
    store.close()


class Told(Guard):
    """A guard that tells what becomes of its turn."""

    def __init__(self, path: str, url: str, *, read_only: bool) -> None:
        super().__init__(path, url, read_only=read_only)
        self.told: list[str] = []

    def take_turn(self, patience: Patience) -> None:
        super().take_turn(patience)
        self.told.append("taken")

    def leave_turn(self) -> None:
        super().leave_turn()
        self.told.append("left")

    def give_turn(self) -> None:
        super().give_turn()
        self.told.append("given")


def watched(database: Path, other: apsw.Connection) -> tuple[SqliteStore, Told, Naps]:
    """A store, its guard, and naps in the first of which the other, who writes, is done."""
    made: list[Told] = []

    def guard(path: str, url: str, *, read_only: bool) -> Told:
        made.append(Told(path, url, read_only=read_only))
        return made[0]

    naps = Naps(at=1, do=lambda: other.execute("ROLLBACK"))
    store = SqliteStore(database, busy_timeout_s=2, patience=naps.patience, guard=guard)
    made[0].told.clear()
    hold_write(other)
    return store, made[0], naps


def test_what_was_begun_while_the_turn_was_left_is_begun_again(
    database: Path, other: apsw.Connection
) -> None:
    """Another SQLite of the process may have begun the log anew behind it."""
    store, guard, naps = watched(database, other)
    with store.writing():
        assert guard.told == ["taken", "left", "given", "taken"]
    assert len(naps.taken) == 1
    store.close()


def test_a_vacuum_does_not_leave_its_turn(database: Path, other: apsw.Connection) -> None:
    """It cannot be taken back once it is done."""
    store, guard, naps = watched(database, other)
    store.vacuum()
    assert "left" not in guard.told
    assert len(naps.taken) == 1
    store.close()
