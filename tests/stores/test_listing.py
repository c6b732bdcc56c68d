"""Which jobs there are is asked of ranges and of steps: by what SQLite gives out and plans."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import apsw
import pytest

from milepost import StateManager
from milepost.errors import StoreUnreadable
from milepost.log.rows import StoredLease
from milepost.state.persistence import open_store
from milepost.stores.sqlite.reading import SqliteReader
from milepost.testing.contracts.stores.rows import row

MANY = 2_000


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store of many jobs, as rows that nobody decodes."""
    path = tmp_path_factory.mktemp("listing") / "jobs.db"
    store = open_store(path, durability="process")
    with store.writing() as writer:
        for number in range(MANY):
            job = writer.add_job(f"job-{number:04d}", 5, "digest").number
            writer.add_row(job, row(1))
            lease = StoredLease("me", 1, 9)
            writer.put_lease(job, lease if number % 200 == 7 else lease.given_back())
    store.close()
    return path


def asked(path: Path, question: Callable[[Any], object]) -> tuple[list[str], int]:
    """The statements that the question runs, and how many rows they gave out."""
    store = open_store(path, create=False, read_only=True)
    statements: list[str] = []
    given = 0
    with store.reading() as reader:
        assert isinstance(reader, SqliteReader)
        execute = reader._execute

        def counted(sql: str, values: tuple[object, ...] = ()) -> Any:
            nonlocal given
            statements.append(sql)
            for each in execute(sql, values):
                given += 1
                yield each

        reader._execute = counted  # type: ignore[method-assign]
        question(reader)
    store.close()
    return statements, given


QUESTIONS: dict[str, tuple[Callable[[Any], object], int]] = {
    "a beginning": (lambda reader: reader.job_ids("job-001"), 20),
    "jobs of a beginning": (lambda reader: list(reader.tips(prefix="job-001")), 40),
    "the first ids": (lambda reader: reader.job_ids("", limit=10), 20),
    "the newest job": (lambda reader: next(reader.tips(newest_first=True)), 260),
    "jobs that were not given back": (lambda reader: list(reader.leased()), 30),
    "how many": (lambda reader: reader.count_jobs(), 2),
    "how many of a beginning": (lambda reader: reader.count_jobs("job-0"), 2),
}


@pytest.mark.parametrize("name", QUESTIONS)
def test_what_is_asked_for_is_what_is_read(database: Path, name: str) -> None:
    """Rows of the answer, and of the second witness that nothing is missing from it."""
    question, most = QUESTIONS[name]
    _, given = asked(database, question)
    assert 0 < given <= most


def test_the_newest_rows_of_many_jobs_are_one_statement(database: Path) -> None:
    """Three a step of 128 jobs: entries are one for all, notes and rows are one for each step."""
    statements, _ = asked(database, lambda reader: list(reader.tips()))
    assert len(statements) <= 2 * (MANY / 128 + 4)
    statements, _ = asked(database, lambda reader: list(reader.tips(prefix="job-")))
    assert len(statements) <= 2 * (MANY / 128 + 4)


def test_a_damaged_row_takes_no_other_job_with_it(database: Path, tmp_path: Path) -> None:
    """Neither one that is of other types, nor one whose page cannot be read."""
    copy = tmp_path / "jobs.db"
    copy.write_bytes(database.read_bytes())
    connection = apsw.Connection(str(copy))
    ((number, root, size),) = connection.execute(
        "SELECT number, rootpage, page_size FROM jobs, sqlite_schema, pragma_page_size"
        " WHERE job_id = 'job-0777' AND name = 'commits'"
    )
    connection.config(apsw.SQLITE_DBCONFIG_ENABLE_TRIGGER, 0)
    connection.execute("UPDATE commits SET body_digest = x'00' WHERE job = ?", (number,))
    connection.close()
    damaged = copy.read_bytes()
    first_leaf = _leaves(damaged, root, size)[0]
    start = (first_leaf - 1) * size
    copy.write_bytes(damaged[:start] + b"\xff" * size + damaged[start + size :])
    told: list[StoreUnreadable] = []
    store = open_store(copy, create=False, read_only=True)
    with store.reading() as reader:
        found = {tip.job.job_id for tip in reader.tips(told.append)}
    store.close()
    assert 1 < len(told) < 200
    assert len(found) == MANY - len(told)
    assert "job-1999" in found


def _leaves(file: bytes, page: int, size: int) -> list[int]:
    """The pages that the interior page of a table leads to, in order."""
    start = (page - 1) * size
    assert file[start] == 5, "many rows are on more than one page"
    count = int.from_bytes(file[start + 3 : start + 5], "big")
    cells = (
        int.from_bytes(file[start + 12 + 2 * n : start + 14 + 2 * n], "big") for n in range(count)
    )
    return [int.from_bytes(file[start + cell : start + cell + 4], "big") for cell in cells]


def test_every_job_is_read_when_every_job_is_asked_for(database: Path) -> None:
    """The control: the count is of what is read."""
    _, given = asked(database, lambda reader: list(reader.tips()))
    assert given >= 3 * MANY


@pytest.mark.parametrize("name", ["a beginning", "jobs of a beginning", "how many of a beginning"])
def test_a_beginning_is_a_range_of_the_index(database: Path, name: str) -> None:
    """By SQLite's own word on each statement that uses the index of ids."""
    statements, _ = asked(database, QUESTIONS[name][0])
    store = open_store(database, create=False, read_only=True)
    plans = []
    with store.reading() as reader:
        assert isinstance(reader, SqliteReader)
        for sql in statements:
            if "INDEXED BY" in sql:
                plan = reader._execute(f"EXPLAIN QUERY PLAN {sql}", ("a", "b"))
                plans += [line[-1] for line in plan]
    store.close()
    assert plans
    assert all("job_id>? AND job_id<?" in plan for plan in plans)


def test_a_job_that_is_named_in_full_is_found_without_the_others(
    database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The command line asks for the whole id first: ids that begin so are not looked for."""
    from milepost.cli.session import find_job

    monkeypatch.setattr(StateManager, "job_ids", lambda *_, **__: pytest.fail("looked for"))
    with StateManager.open(database, create=False, read_only=True) as manager:
        assert find_job(manager, "job-0001") == "job-0001"
        with pytest.raises(pytest.fail.Exception):
            find_job(manager, "job-000")


def test_a_job_is_verified_without_a_look_at_the_entries_of_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else a store of many jobs, each verified, would be read once a job."""
    with StateManager.open(tmp_path / "jobs.db") as manager:
        manager.create_job(["a"], job_id="one")
        monkeypatch.setattr(SqliteReader, "entries", lambda _: pytest.fail("every entry was read"))
        (verification,) = manager.verify("one")
        assert verification.sound
