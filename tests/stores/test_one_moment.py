"""A read is of one moment, though a look drops SQLite's lock and another process moves the log in.

That happens before each page in turn that is read for a question, for every kind of question.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager, nullcontext
from pathlib import Path
from typing import Any, Final, TypeAlias

import apsw
import pytest

from milepost import ItemEvent, MilepostError, StateManager
from milepost.stores.sqlite.guard import Guard
from milepost.stores.sqlite.store import SqliteStore
from tests.stores.peeking import read

JOBS: Final = ("j", "k")
ITEMS: Final = 400
MOST: Final = 40
FEWEST: Final = 5
"""How many pages a question takes."""

Question: TypeAlias = Callable[[StateManager, Path], object]

RECORDING = """
import sqlite3, sys
from milepost import ItemEvent, StateManager
with StateManager.open(sys.argv[1]) as manager:
    for number in sys.stdin:
        for job_id in ("j", "k"):
            manager.record(job_id, [ItemEvent(number.strip(), "start")])
            done = ItemEvent(number.strip(), "succeed", {"result": 900 * "x"})
            manager.record(job_id, [done])
        connection = sqlite3.connect(sys.argv[1])
        busy, _, _ = connection.execute("PRAGMA wal_checkpoint").fetchone()
        connection.close()
        print(busy, flush=True)
"""


class Bare(Guard):
    """A guard without locks of ours for reads: the control."""

    def reading(self) -> AbstractContextManager[None]:
        return nullcontext()


class Pages(apsw.VFS):
    """A file system that lets something happen before the n-th page is read from now on."""

    name = "pages"

    def __init__(self) -> None:
        self.left = 0
        self.happens: Callable[[], None] | None = None
        super().__init__(self.name, "")

    def let(self, happens: Callable[[], None], *, before: int) -> None:
        self.left, self.happens = before, happens

    def over(self) -> bool:
        """Nothing happens from now on; whether it has."""
        happens, self.happens = self.happens, None
        return happens is None

    def xOpen(self, name: Any, flags: list[int]) -> apsw.VFSFile:  # noqa: N802
        return Page(self, name, flags)

    def passed(self) -> None:
        self.left -= 1
        if self.left == 0 and self.happens is not None:
            happens, self.happens = self.happens, None
            happens()


class Page(apsw.VFSFile):
    """A file of it."""

    def __init__(self, pages: Pages, name: Any, flags: list[int]) -> None:
        self.pages = pages
        super().__init__("", name, flags)

    def xRead(self, amount: int, offset: int) -> bytes:  # noqa: N802
        self.pages.passed()
        return super().xRead(amount, offset)


@pytest.fixture
def pages() -> Iterator[Pages]:
    made = Pages()
    yield made
    made.unregister()


@contextmanager
def another(db: Path) -> Iterator[Callable[[], None]]:
    """Gives what records in another process, then moves the log in as far as readers let it."""
    numbers = iter(range(ITEMS - 40))
    with subprocess.Popen(
        [sys.executable, "-c", RECORDING, str(db)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        told, said = child.stdin, child.stdout

        def record() -> None:
            told.write(f"k{next(numbers)}\n")
            told.flush()
            assert said.readline() == "0\n", "the log is checked in"

        yield record
        told.close()


def planned(manager: StateManager, _: Path) -> object:
    plan = manager.recover_from_checkpoint("j")
    return plan.seq, list(plan.pending)


def exported(manager: StateManager, folder: Path) -> object:
    file = folder / "j.jsonl"
    file.unlink(missing_ok=True)
    manager.upkeep.export_log("j", file)
    return file.read_bytes()


def backed_up(manager: StateManager, folder: Path) -> object:
    copy = folder / "copy.db"
    copy.unlink(missing_ok=True)
    manager.upkeep.back_up(copy)
    with StateManager.open(copy, read_only=True) as copied:
        return copied.upkeep.check_store(), copied.verify()


QUESTIONS: dict[str, Question] = {
    "get_state": lambda manager, _: manager.get_state("j"),
    "get_state_history": lambda manager, _: [
        (event.seq, event.event) for event in manager.get_state_history("j")
    ],
    "results": lambda manager, _: list(manager.results("j")),
    "failures": lambda manager, _: list(manager.failures("j")),
    "recover_from_checkpoint": planned,
    "list_jobs": lambda manager, _: manager.list_jobs(),
    "verify": lambda manager, _: manager.verify("j"),
    "sizes": lambda manager, _: manager.sizes("j"),
    "export_log": exported,
    "check_store": lambda manager, _: manager.upkeep.check_store(),
    "back_up": backed_up,
}


@pytest.fixture
def db(tmp_path: Path) -> Path:
    path = tmp_path / "jobs.db"
    with StateManager.open(path) as manager:
        for job_id in JOBS:
            manager.create_job([f"k{n}" for n in range(ITEMS)], job_id=job_id)
            manager.fire(job_id, "start_map")
            for number in range(ITEMS - 40, ITEMS):
                manager.record(job_id, [ItemEvent(f"k{number}", "start")])
                manager.record(job_id, [ItemEvent(f"k{number}", "succeed", {"result": 900 * "x"})])
    return path


class Moments:
    """The answers to one question while it happens before each page in turn that is read for it."""

    def __init__(self, db: Path, pages: Pages, question: Question, record: Callable[[], None]):
        self.db, self.pages, self.question, self.record = db, pages, question, record

    def torn(self, guard: type[Guard]) -> list[str]:
        """Those that are true neither of the moment before it nor of the one after it."""
        found: list[str] = []
        before, _ = self.answer(guard)
        for number in range(1, MOST):
            given, happened = self.answer(guard, number)
            if not happened:  # the question was answered by then
                assert number > FEWEST
                break
            after, _ = self.answer(guard)
            if given not in (before, after):
                found.append(f"before page {number}: {str(given)[:200]}")
            before = after
        return found

    def answer(self, guard: type[Guard], number: int = 0) -> tuple[object, bool]:
        """The answer, and whether it happened: before page `number`, or never for 0."""
        with StateManager(SqliteStore(self.db, vfs=self.pages.name, guard=guard)) as manager:
            self.pages.let(self.happen, before=number)
            try:
                given = self.question(manager, self.db.parent)
            except MilepostError as error:
                given = str(error)
            return given, self.pages.over()

    def happen(self) -> None:
        read(self.db)
        self.record()


@pytest.mark.parametrize("question", QUESTIONS.values(), ids=QUESTIONS.keys())
def test_what_is_read_is_of_one_moment(db: Path, pages: Pages, question: Question) -> None:
    """With SQLite's lock alone it is not: the control."""
    with another(db) as record:
        moments = Moments(db, pages, question, record)
        assert moments.torn(Guard) == []
        assert moments.torn(Bare) != []


def test_the_end_of_one_read_is_not_that_of_another(db: Path) -> None:
    """Reads of one process that are of one moment hold one mark together."""
    store = SqliteStore(db)
    with another(db) as record, closing(store):
        for _ in range(3):
            first = ExitStack()
            first.enter_context(store.reading())
            with store.reading() as reader:
                noted = reader.newest(1)
                first.close()
                read(db)
                record()
                assert noted is not None
                assert max(row.seq for row in reader.rows(1)) == noted[0]


def test_reads_leave_the_log_to_be_begun_anew(db: Path) -> None:
    """Once they are over: it stays as long as one round of records makes it."""
    store = SqliteStore(db)
    log = db.with_name(f"{db.name}-wal")
    with another(db) as record, closing(store):
        sizes = []
        for _ in range(30):
            with store.reading() as reader:
                assert reader.newest(1) is not None
            record()
            sizes.append(log.stat().st_size)
        assert max(sizes) < 4 * sizes[0]
